// SPDX-License-Identifier: Apache-2.0
// What servers and proxies must not be able to do to a client.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <rondo/client/client_fixture.hpp>
#include <rondo/client/cookie_jar.hpp>
#include <rondo/net/tls_fixture.hpp>

namespace rondo {
namespace {

using testing::field_of;
using testing::ok_text;
using testing::upstream;

class HostileServer : public testing::client_fixture {};
INSTANTIATE_TEST_SUITE_P(backends, HostileServer, ::testing::ValuesIn(testing::available_backends()),
                         testing::backend_name);

std::string redirect_to(const std::string& location, const std::string& fields = {}) {
    return "HTTP/1.1 307 Temporary Redirect\r\nLocation: " + location + "\r\n" + fields + "Content-Length: 0\r\n\r\n";
}

TEST_P(HostileServer, redirects_cannot_reach_a_unix_socket) {
    char folder[] = "/tmp/rondo_client_XXXXXX";
    ASSERT_NE(::mkdtemp(folder), nullptr);
    const std::string path = std::string(folder) + "/victim";
    std::string escaped = path;
    for (std::size_t at = 0; (at = escaped.find('/', at)) != std::string::npos;) escaped.replace(at, 1, "%2F");
    {
        upstream victim(loop(), respond_with(ok_text("reached")), "unix:" + path);
        EXPECT_EQ(get("http+unix://" + escaped + "/").body(), "reached");
        for (const std::string& to :
             {"http+unix://" + escaped + "/x", "HTTP+UNIX://" + escaped, "Http+Unix://u:p@" + escaped + "/",
              "unix:" + path, "unix://" + path, "//" + escaped + "/", "http://" + escaped + "/"}) {
            upstream up(loop(), respond_with(redirect_to(to)));
            EXPECT_NE(failure_of(client_request("POST", up.url()).body("x")), std::nullopt) << to;
        }
        EXPECT_EQ(victim.accepted_count(), 1u);
    }
    std::filesystem::remove_all(folder);
}

TEST_P(HostileServer, rejects_an_invalid_location) {
    for (const std::string to :
         {"http://a%3Ab:c@127.0.0.1:1/", "http://:@:0/", "http://", "http:", "http://[::1", "http://[v1.a]/",
          "http://127.0.0.1:0/", "http://127.0.0.1:99999/", "http://u%zz@127.0.0.1/", "javascript:alert(1)",
          "data:text/plain,x", "http:///x", "http://a b/", "http://\xff/"}) {
        upstream up(loop(), respond_with(redirect_to(to)));
        EXPECT_EQ(failure_of(up.url()), client_failure::url) << to << error_message_;
    }
    // Each of these bytes is sent percent-encoded, as three.
    upstream up(loop(), respond_with(redirect_to("/" + std::string(30'000, '\xff'))));
    EXPECT_EQ(failure_of(up.url()), client_failure::request_too_large) << error_message_;
    EXPECT_EQ(failure_of("http://a%3Ab:c@127.0.0.1:1/"), client_failure::url);
    EXPECT_EQ(failure_of("http://127.0.0.1:1/" + std::string(70'000, 'x')), client_failure::connect);
}

// RFC 9110 section 4.2.4
TEST_P(HostileServer, rejects_credentials_in_a_location) {
    upstream other(loop(),
                   respond_by([](const std::string& head) { return ok_text(field_of(head, "Authorization")); }));
    const std::string at = other.url().substr(7);
    for (const std::string& to : {"http://u:p@" + at, "http://u@" + at, "http://:p@" + at, "//u:p@" + at}) {
        upstream up(loop(), respond_with(redirect_to(to)));
        EXPECT_EQ(failure_of(up.url()), client_failure::url) << to;
        EXPECT_NE(error_message_.find("without user and password"), std::string::npos) << error_message_;
    }
    EXPECT_EQ(other.accepted_count(), 0u);
    upstream up(loop(), respond_with(redirect_to("http://" + at)));
    EXPECT_EQ(get("http://u:p@" + up.url().substr(7)).body(), "");
}

TEST_P(HostileServer, too_many_cookies_are_a_client_error) {
    client_options options;
    options.cookies = std::make_shared<cookie_jar>();
    client http(options);
    upstream up(loop(), respond_by([](const std::string& head) {
                    std::string cookies;
                    const std::string path = head.substr(5, head.find(' ', 5) - 5);
                    for (int i = 0; i < 7; ++i)
                        cookies +=
                            "Set-Cookie: c" + path + std::to_string(i) + "=" + std::string(4000, 'x') + "; Path=/\r\n";
                    return ok_text("", cookies);
                }));
    std::optional<client_failure> failure;
    for (int i = 0; i < 4 && !failure; ++i)
        failure = failure_of(http, client_request("GET", up.url("/" + std::to_string(i))));
    EXPECT_EQ(failure, client_failure::request_too_large) << error_message_;
    EXPECT_EQ(http.connections().open, http.connections().idle);
}

TEST_P(HostileServer, redirect_from_tls_to_plain_http_drops_credentials) {
    testing::certificates files;
    files.make("server", "DNS:localhost");
    upstream plain(loop(), respond_by([](const std::string& head) {
                       return ok_text(field_of(head, "Authorization") + "|" + field_of(head, "Cookie"));
                   }));
    upstream secure(loop(), respond_with(redirect_to("http://localhost" + plain.url().substr(plain.url().rfind(':')),
                                                     "Set-Cookie: s=1; Secure\r\nSet-Cookie: p=2\r\n")));
    secure.use_tls(net::tls_context::server({.certificate_file = files.file("server.pem"),
                                             .key_file = files.file("server.key"),
                                             .protocols = {"http/1.1"}}));
    client_options options;
    options.tls.ca_file = files.ca_file();
    options.cookies = std::make_shared<cookie_jar>();
    client http(options);
    EXPECT_EQ(run(http.send(client_request("GET", secure.secure_url("localhost")).bearer("secret"))).body(), "|p=2");
}

TEST_P(HostileServer, keeps_authorization_within_an_origin) {
    upstream up(loop(), respond_by([](const std::string& head) {
                    if (head.starts_with("GET /end ")) return ok_text(field_of(head, "Authorization"));
                    return redirect_to("/end");
                }));
    const std::string with_user = "http://us:pw@" + up.url().substr(7);
    EXPECT_EQ(run(http_.send(client_request("GET", with_user).bearer("mine"))).body(), "Bearer mine");
    EXPECT_EQ(get(with_user).body(), "Basic dXM6cHc=");
}

TEST_P(HostileServer, rejects_bytes_injected_after_the_connect_response) {
    testing::certificates files;
    files.make("server", "DNS:server.example");
    upstream origin(loop(), respond_with(ok_text("genuine")));
    origin.use_tls(net::tls_context::server({.certificate_file = files.file("server.pem"),
                                             .key_file = files.file("server.key"),
                                             .protocols = {"http/1.1"}}));
    const std::string port = origin.url().substr(origin.url().rfind(':') + 1);
    for (const std::string& injected :
         {ok_text("injected", "Set-Cookie: admin=1\r\n"), std::string("x"), std::string("\r\n")}) {
        upstream proxy(loop(),
                       upstream::script_with(injected, [](const std::string& text, upstream::peer& p) -> task<void> {
                           (void)co_await p.read_head();
                           p.send("HTTP/1.1 200 Connection established\r\n\r\n" + text);
                           co_await p.wait_closed();
                       }));
        client_options options;
        options.tls.ca_file = files.ca_file();
        options.proxies.https = proxy.url();
        options.cookies = std::make_shared<cookie_jar>();
        client http(options);
        EXPECT_EQ(failure_of(http, client_request("GET", "https://server.example/")), client_failure::tls) << injected;
        EXPECT_NE(error_message_.find("before the security layer"), std::string::npos) << error_message_;
        EXPECT_EQ(options.cookies->size(), 0u);
        EXPECT_EQ(http.connections().open, 0u);
    }
}

TEST_P(HostileServer, limits_interim_responses_to_connect) {
    const auto failure = [this](const std::string& answer) {
        upstream proxy(loop(),
                       upstream::script_with(answer, [](const std::string& text, upstream::peer& p) -> task<void> {
                           (void)co_await p.read_head();
                           p.send(text);
                           co_await p.wait_closed();
                       }));
        client_options options;
        options.proxies.https = proxy.url();
        client http(options);
        return failure_of(http, client_request("GET", "https://server.example/"));
    };
    const auto interim = [](int count) {
        std::string text;
        for (int i = 0; i < count; ++i) text += "HTTP/1.1 100 Continue\r\n\r\n";
        return text;
    };
    const std::string refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
    EXPECT_EQ(failure(interim(100) + refusal), client_failure::connect);
    EXPECT_NE(error_message_.find("refused a tunnel to server.example:443: 403"), std::string::npos) << error_message_;
    EXPECT_EQ(failure(interim(101) + refusal), client_failure::connect);
    EXPECT_NE(error_message_.find("too many interim responses"), std::string::npos) << error_message_;
    EXPECT_EQ(failure(interim(100'000)), client_failure::connect);
    EXPECT_EQ(failure("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), client_failure::connect);
    EXPECT_NE(error_message_.find("refused a tunnel to server.example:443: 101"), std::string::npos) << error_message_;
}

TEST_P(HostileServer, an_invalid_proxy_in_the_environment_fails_only_its_calls) {
    upstream direct(loop(), respond_with(ok_text("direct")));
    for (const char* text : {"socks5://us:secret@127.0.0.1:1", "socks5h://x", "https://x:1", "http://", "x:99999",
                             "http://a b", "http://[::1", "http://us%3Aer:pw@x", "://", "\x7f"}) {
        const auto lookup = [text](const char* name) {
            const std::string_view n = name;
            return n == "all_proxy" ? text : n == "no_proxy" ? "127.0.0.1" : nullptr;
        };
        client_options options;
        options.proxies = client_proxies::from_environment(lookup);
        client http(options);
        for (const char* url : {"http://a.example/", "https://a.example/"})
            EXPECT_EQ(failure_of(http, client_request("GET", url)), client_failure::connect) << text;
        EXPECT_NE(error_message_.find("invalid proxy '"), std::string::npos) << error_message_;
        EXPECT_NE(error_message_.find("'; expected http://HOST:PORT"), std::string::npos) << error_message_;
        EXPECT_EQ(error_message_.find("secret"), std::string::npos) << error_message_;
        EXPECT_EQ(run(http.get(direct.url())).body(), "direct") << text;
    }
}

}  // namespace
}  // namespace rondo
