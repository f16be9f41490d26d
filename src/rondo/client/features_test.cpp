// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <rondo/client/client_fixture.hpp>
#include <rondo/client/cookie_jar.hpp>
#include <rondo/client/middleware.hpp>
#include <rondo/codec/json.hpp>
#include <rondo/coro/async_generator.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/net/connect.hpp>
#include <rondo/net/endpoint.hpp>
#include <rondo/net/tls_fixture.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;
using testing::field_of;
using testing::ok_text;
using testing::upstream;

class ClientFeatures : public testing::client_fixture {};
INSTANTIATE_TEST_SUITE_P(backends, ClientFeatures, ::testing::ValuesIn(testing::available_backends()),
                         testing::backend_name);

// ---- redirects ----

std::string redirect_response(const std::string& head) {
    const std::string target = head.substr(head.find(' ') + 1, head.find(" HTTP") - head.find(' ') - 1);
    const std::string method = head.substr(0, head.find(' '));
    if (target == "/end") return ok_text(method + (field_of(head, "Content-Length") == "1" ? " with a body" : ""));
    if (target == "/loop") return "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 2\r\n\r\nno";
    if (target == "/bad") return "HTTP/1.1 302 Found\r\nLocation: ftp://x\r\nContent-Length: 0\r\n\r\n";
    if (target == "/none") return "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n";
    return "HTTP/1.1 " + target.substr(1) + " Moved\r\nLocation: end\r\nContent-Length: 0\r\n\r\n";
}

upstream::script read_body_and_respond(std::string (*respond)(const std::string&)) {
    return upstream::script_with(respond,
                                 [](std::string (*const& make)(const std::string&), upstream::peer& p) -> task<void> {
                                     for (;;) {
                                         const std::string head = co_await p.read_head();
                                         if (!head.ends_with("\r\n\r\n")) co_return;
                                         const std::string length = field_of(head, "Content-Length");
                                         if (!length.empty()) (void)co_await p.receive_exactly(std::stoul(length));
                                         p.send(make(head));
                                     }
                                 });
}

TEST_P(ClientFeatures, redirects_keep_or_change_the_method) {
    upstream up(loop(), read_body_and_respond(redirect_response));
    const auto by = [&](const char* method, const char* path) {
        client_request r(method, up.url(path));
        if (std::string_view(method) != "GET" && std::string_view(method) != "HEAD") r.body("x");
        return run(http_.send(std::move(r))).body();
    };
    EXPECT_EQ(by("GET", "/301"), "GET");
    EXPECT_EQ(by("POST", "/301"), "GET");
    EXPECT_EQ(by("POST", "/302"), "GET");
    EXPECT_EQ(by("PUT", "/302"), "PUT with a body");
    EXPECT_EQ(by("PUT", "/303"), "GET");
    EXPECT_EQ(by("POST", "/307"), "POST with a body");
    EXPECT_EQ(by("POST", "/308"), "POST with a body");
    EXPECT_EQ(get(up.url("/301")).url(), up.url("/end"));
    EXPECT_EQ(get(up.url("/300")).code(), 300);
    EXPECT_EQ(get(up.url("/none")).code(), 302);
    EXPECT_EQ(up.accepted_count(), 1u);
}

TEST_P(ClientFeatures, redirects_are_limited_and_optional) {
    upstream up(loop(), read_body_and_respond(redirect_response));
    EXPECT_EQ(failure_of(up.url("/loop")), client_failure::too_many_redirects);
    EXPECT_EQ(failure_of(up.url("/bad")), client_failure::url);
    const client_response r = run(http_.send(client_request("GET", up.url("/loop")).max_redirects(0)));
    EXPECT_EQ(r.code(), 302);
    EXPECT_EQ(r.body(), "no");
}

TEST_P(ClientFeatures, redirects_drop_credentials_for_another_origin) {
    upstream other(loop(), respond_by([](const std::string& head) {
                       return ok_text(field_of(head, "Authorization") + "|" + field_of(head, "Cookie") + "|" +
                                      field_of(head, "X-Other"));
                   }));
    upstream up(loop(),
                respond_with("HTTP/1.1 302 Found\r\nLocation: " + other.url("/") + "\r\nContent-Length: 0\r\n\r\n"));
    const auto request = [&](const std::string& url) {
        return client_request("GET", url).bearer("secret").field("Cookie", "a=1").field("X-Other", "o");
    };
    EXPECT_EQ(run(http_.send(request(other.url()))).body(), "Bearer secret|a=1|o");
    EXPECT_EQ(run(http_.send(request(up.url()))).body(), "||o");
    const std::string with_user = "http://us:pw@" + other.url().substr(7);
    EXPECT_EQ(get(with_user).body(), "Basic dXM6cHc=||");
    EXPECT_EQ(get(with_user).url().find("pw"), std::string::npos);
}

TEST_P(ClientFeatures, follows_a_redirect_with_a_truncated_body) {
    upstream end(loop(), respond_with(ok_text("there")));
    const std::string cut = "HTTP/1.1 302 Found\r\nLocation: " + end.url() + "\r\nContent-Length: 10\r\n\r\nabc";
    upstream up(loop(), upstream::script_with(cut, [](const std::string& text, upstream::peer& p) -> task<void> {
                    (void)co_await p.read_head();
                    p.send(text);
                }));
    EXPECT_EQ(get(up.url()).body(), "there");
}

// ---- bodies ----

async_generator<std::string> pieces(int count) {
    for (int i = 0; i < count; ++i) co_yield std::string(10'000, static_cast<char>('a' + i % 26));
}

TEST_P(ClientFeatures, streams_a_body_chunked_or_with_its_length) {
    upstream up(loop(), [](upstream::peer& p) -> task<void> {
        std::string head = co_await p.read_head();
        EXPECT_EQ(field_of(head, "Transfer-Encoding"), "chunked");
        const std::string chunks = co_await p.receive_until("0\r\n\r\n");
        p.send(ok_text(std::to_string(chunks.size())));
        head = co_await p.read_head();
        const std::string body = co_await p.receive_exactly(std::stoul(field_of(head, "Content-Length")));
        p.send(ok_text(body.substr(0, 1) + body.substr(body.size() - 1)));
        co_await p.wait_closed();
    });
    EXPECT_EQ(run(http_.send(client_request("PUT", up.url()).body(pieces(100)))).body(),
              std::to_string(100 * (10'000 + 8) + 5));
    EXPECT_EQ(run(http_.send(client_request("PUT", up.url()).body(pieces(100), "text/plain", 1'000'000))).body(), "av");
}

TEST_P(ClientFeatures, fails_when_a_body_source_has_another_length_or_throws) {
    upstream up(loop(), [](upstream::peer& p) -> task<void> { co_await p.wait_closed(); });
    EXPECT_THROW((void)run(http_.send(client_request("PUT", up.url()).body(pieces(1), "", 20'000))), std::logic_error);
    EXPECT_THROW((void)run(http_.send(client_request("PUT", up.url()).body(pieces(3), "", 20'000))), std::logic_error);
    auto failing = []() -> async_generator<std::string> {
        co_yield "x";
        throw std::runtime_error("source failed");
    };
    EXPECT_THROW((void)run(http_.send(client_request("PUT", up.url()).body(failing()))), std::runtime_error);
    EXPECT_EQ(http_.connections().open, 0u);
}

TEST_P(ClientFeatures, receives_an_early_response_while_sending_the_body) {
    upstream up(loop(), [](upstream::peer& p) -> task<void> {
        (void)co_await p.read_head();
        p.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
        co_await p.wait_closed();
    });
    const client_response r = run(http_.send(client_request("PUT", up.url()).body(std::string(50 << 20, 'x'))));
    EXPECT_EQ(r.code(), 413);
    EXPECT_EQ(r.body(), "big");
    EXPECT_EQ(run(http_.send(client_request("PUT", up.url()).body(pieces(5'000)))).code(), 413);
    EXPECT_EQ(http_.connections().open, 0u);
}

// As in curl: an early response wins over the failure to send the rest.
TEST_P(ClientFeatures, receives_an_early_response_followed_by_a_reset) {
    upstream up(loop(), [](upstream::peer& p) -> task<void> {
        (void)co_await p.read_head();
        p.write("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig");
        (void)co_await p.drained();
        p.close(true);
    });
    const std::string large(3 << 20, 'x');
    for (int i = 0; i < 20; ++i) {
        const client_response whole = run(http_.send(client_request("POST", up.url()).body(large)));
        EXPECT_EQ(whole.code(), 413);
        EXPECT_EQ(whole.body(), "big");
        const client_response streamed = run(http_.send(client_request("PUT", up.url()).body(pieces(300))));
        EXPECT_EQ(streamed.code(), 413);
        EXPECT_EQ(streamed.body(), "big");
    }
    EXPECT_EQ(http_.connections().open, 0u);
}

TEST_P(ClientFeatures, fails_when_the_connection_is_reset_while_sending_the_body) {
    upstream up(loop(), [](upstream::peer& p) -> task<void> {
        (void)co_await p.read_head();
        p.close(true);
    });
    for (int i = 0; i < 20; ++i) {
        try {
            (void)run(http_.send(client_request("POST", up.url()).body(std::string(3 << 20, 'x'))));
            ADD_FAILURE() << "expected client_error";
        } catch (const client_error& e) {
            EXPECT_EQ(e.kind(), client_failure::closed) << e.what();
        }
    }
    EXPECT_EQ(http_.connections().open, 0u);
}

TEST_P(ClientFeatures, times_out_when_the_server_does_not_read_the_body) {
    upstream up(loop(), [](upstream::peer& p) -> task<void> {
        (void)co_await p.read_head();
        event never;
        co_await never.wait();
    });
    const client_timeouts short_timeout{.read = 50ms};
    EXPECT_EQ(failure_of(client_request("PUT", up.url()).body(std::string(50 << 20, 'x')).timeouts(short_timeout)),
              client_failure::timeout);
    EXPECT_EQ(http_.connections().open, 0u);
}

// Reads the response while the request is still being sent.
class collecting_handler final : public client_response_handler {
public:
    task<void> handle(client_response& response) override {
        for (;;) {
            const std::string_view piece = co_await response.read();
            if (piece.empty()) break;
            size += piece.size();
        }
    }
    std::size_t size = 0;
};

TEST_P(ClientFeatures, exchange_sends_and_receives_at_once) {
    upstream echo(loop(), [](upstream::peer& p) -> task<void> {
        (void)co_await p.read_head();
        p.send("HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n");
        for (std::size_t left = 20'000'000; left > 0;) {
            const std::string part = co_await p.receive_exactly(std::min<std::size_t>(left, 10'000));
            if (part.empty()) co_return;
            left -= part.size();
            p.write(part);
            const bool ok = co_await p.drained();
            if (!ok) co_return;
        }
        co_await p.wait_closed();
    });
    collecting_handler all;
    client_request request("PUT", echo.url());
    request.body(pieces(2000), "", 20'000'000).max_body(UINT64_MAX);
    run(http_.exchange(std::move(request), all));
    EXPECT_EQ(all.size, 20'000'000u);
    EXPECT_EQ(http_.connections().idle, 1u);
}

// Moves the response away from its caller and drops it.
class dropping_handler final : public client_response_handler {
public:
    explicit dropping_handler(bool f) : fails(f) {}
    task<void> handle(client_response& response) override {
        {
            const client_response moved = std::move(response);
        }
        co_await event_loop::current().sleep(5ms);
        if (fails) throw client_error(client_failure::protocol, "handler failed");
    }
    bool fails;
};

TEST_P(ClientFeatures, exchange_continues_when_the_handler_drops_the_response) {
    for (const bool fails : {false, true}) {
        for (const std::size_t size : {std::size_t{0}, std::size_t{20'000'000}}) {
            for (const char* answer : {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}) {
                upstream up(loop(), upstream::script_with(std::string(answer),
                                                          [](const std::string& text, upstream::peer& p) -> task<void> {
                                                              (void)co_await p.read_head();
                                                              p.send(text);
                                                              co_await p.wait_closed();
                                                          }));
                dropping_handler handler(fails);
                client_options options;
                options.cookies = std::make_shared<cookie_jar>();
                client http(options);
                std::optional<client_failure> failure;
                try {
                    run(http.exchange(client_request("PUT", up.url()).body(std::string(size, 'x')), handler));
                } catch (const client_error& e) {
                    failure = e.kind();
                }
                EXPECT_EQ(failure, fails ? std::optional(client_failure::protocol) : std::nullopt) << size << answer;
                EXPECT_EQ(http.connections().open, http.connections().idle);
            }
        }
    }
}

TEST_P(ClientFeatures, a_slow_reader_slows_the_server_down) {
    std::size_t sent = 0;
    upstream up(loop(), upstream::script_with(&sent, [](std::size_t* const& count, upstream::peer& p) -> task<void> {
                    (void)co_await p.read_head();
                    p.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
                    const std::string block(64 * 1024, 'x');
                    for (;;) {
                        const bool ok = co_await p.write_all(block);
                        if (!ok) co_return;
                        *count += block.size();
                    }
                }));
    run([](client& http, upstream& u, std::size_t& count) -> task<void> {
        client_response r = co_await http.open(client_request("GET", u.url()).max_body(UINT64_MAX));
        (void)co_await r.read();
        co_await event_loop::current().sleep(50ms);
        EXPECT_LT(count, 32u << 20);
    }(http_, up, sent));
}

TEST_P(ClientFeatures, reads_json) {
    upstream up(loop(), respond_with(ok_text(R"({"a":[1,2]})", "Content-Type: application/json\r\n")));
    EXPECT_EQ(codec::to_string(get(up.url()).json()), R"({"a":[1,2]})");
    upstream other(loop(), respond_with(ok_text("not JSON")));
    EXPECT_THROW((void)get(other.url()).json(), client_error);
}

// ---- codings ----

std::string gzipped(const std::string& command) {
    std::string out;
    std::FILE* pipe = ::popen((command + " | gzip -9 -n").c_str(), "r");
    char block[4096];
    for (std::size_t n = 0; (n = std::fread(block, 1, sizeof block, pipe)) > 0;) out.append(block, n);
    ::pclose(pipe);
    return out;
}

std::string encoded_response(const std::string& body, const std::string& coding = "gzip") {
    return ok_text(body, "Content-Encoding: " + coding + "\r\n");
}

TEST_P(ClientFeatures, requests_and_decodes_content_codings) {
    upstream up(loop(), upstream::script_with(gzipped("printf 'hello %.0s' $(seq 20000)"),
                                              [](const std::string& body, upstream::peer& p) -> task<void> {
                                                  for (;;) {
                                                      const std::string head = co_await p.read_head();
                                                      if (!head.ends_with("\r\n\r\n")) co_return;
                                                      if (field_of(head, "Accept-Encoding") == "gzip, br, zstd")
                                                          p.send(encoded_response(body));
                                                      else p.send(ok_text("plain"));
                                                  }
                                              }));
    EXPECT_EQ(get(up.url()).body().size(), 120'000u);
    EXPECT_EQ(run(http_.send(client_request("GET", up.url()).decode(false))).body(), "plain");
    EXPECT_EQ(run(http_.send(client_request("GET", up.url()).field("Accept-Encoding", "x"))).body(), "plain");
    EXPECT_EQ(http_.connections().idle, 1u);
    run([](client& http, upstream& u) -> task<void> {
        client_response r = co_await http.open(client_request("GET", u.url()));
        std::size_t size = 0;
        for (;;) {
            const std::string_view piece = co_await r.read();
            if (piece.empty()) break;
            EXPECT_TRUE(piece.find_first_not_of("helo ") == std::string_view::npos);
            size += piece.size();
        }
        EXPECT_EQ(size, 120'000u);
    }(http_, up));
    EXPECT_EQ(up.accepted_count(), 1u);
}

TEST_P(ClientFeatures, limits_the_compression_ratio) {
    const std::string bomb = gzipped("head -c 40000000 /dev/zero");
    EXPECT_LT(bomb.size(), 60'000u);
    upstream up(loop(), respond_with(encoded_response(bomb)));
    EXPECT_EQ(failure_of(up.url()), client_failure::body_too_large);
    EXPECT_EQ(failure_of(client_request("GET", up.url()).max_body(UINT64_MAX)), client_failure::body_too_large);
    EXPECT_NE(error_message_.find("200 times"), std::string::npos) << error_message_;
    client_options unlimited;
    unlimited.max_ratio = 2000;
    unlimited.max_body = UINT64_MAX;
    client http(unlimited);
    EXPECT_EQ(failure_of(http, client_request("GET", up.url())), std::nullopt) << error_message_;
}

TEST_P(ClientFeatures, rejects_invalid_and_truncated_encodings) {
    const std::string good = gzipped("seq 1000");
    for (const std::string& answer :
         {encoded_response("not gzip at all"), encoded_response(good.substr(0, good.size() - 4)),
          encoded_response(good + "x"), encoded_response(good, "compress"), encoded_response(good, "gzip, gzip")}) {
        upstream up(loop(), respond_with(answer));
        EXPECT_EQ(failure_of(up.url()), client_failure::protocol) << answer.substr(0, 80);
    }
    upstream empty(loop(), respond_with(encoded_response("")));
    EXPECT_EQ(get(empty.url()).body(), "");
}

// ---- cookies ----

TEST_P(ClientFeatures, stores_cookies_in_a_jar) {
    upstream up(loop(), respond_by([](const std::string& head) {
                    return ok_text(field_of(head, "Cookie"),
                                   "Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2; Path=/deep; HttpOnly\r\n"
                                   "Set-Cookie: c=3; Secure\r\nSet-Cookie: d=4; Domain=other.example\r\n");
                }));
    client_options options;
    options.cookies = std::make_shared<cookie_jar>();
    client http(options);
    EXPECT_EQ(run(http.get(up.url())).body(), "");
    EXPECT_EQ(run(http.get(up.url())).body(), "a=1");
    EXPECT_EQ(run(http.get(up.url("/deep/x"))).body(), "b=2; a=1");
    EXPECT_EQ(options.cookies->size(), 2u);
    EXPECT_EQ(get(up.url()).body(), "");
    EXPECT_EQ(get(up.url()).body(), "");
}

// ---- proxies ----

TEST_P(ClientFeatures, forwards_http_requests_to_a_proxy) {
    upstream proxy(loop(), respond_by([](const std::string& head) {
                       return ok_text(head.substr(0, head.find('\r')) + "|" + field_of(head, "Host") + "|" +
                                      field_of(head, "Proxy-Authorization"));
                   }));
    client_options options;
    options.proxies.http = "http://us:pw@" + proxy.url().substr(7);
    options.proxies.no_proxy = {"direct.example"};
    client http(options);
    EXPECT_EQ(run(http.get("http://one.example/a?b")).body(),
              "GET http://one.example/a?b HTTP/1.1|one.example|Basic dXM6cHc=");
    EXPECT_EQ(run(http.get("http://two.example:81/")).body(),
              "GET http://two.example:81/ HTTP/1.1|two.example:81|Basic dXM6cHc=");
    EXPECT_EQ(proxy.accepted_count(), 1u);
    client_options wrong;
    wrong.proxies.https = "socks5://x";
    EXPECT_THROW(client{wrong}, std::invalid_argument);
}

task<void> pump(net::stream& from, net::stream& to) {
    for (;;) {
        if (from.input().empty()) {
            const net::input_event event = co_await from.receive();
            if (event != net::input_event::data) break;
        }
        to.write(from.input());
        from.consume(from.input().size());
        const bool ok = co_await to.drained();
        if (!ok) break;
    }
    to.shutdown_output();
}

struct tunnel_options {
    std::uint16_t port;
    std::string* request_head;
    std::string response = "HTTP/1.1 200 Connected\r\nX-Proxy: 1\r\n\r\n";
};

// A proxy that opens a tunnel to a port of 127.0.0.1 for any host.
task<void> run_tunnel(const tunnel_options& t, upstream::peer& p) {
    *t.request_head = co_await p.read_head();
    net::output_buffer out(event_loop::current());
    std::vector<net::endpoint> to{*net::endpoint::numeric("127.0.0.1", t.port)};
    unique_fd fd = co_await net::connect(to);
    net::stream inner(out, std::move(fd));
    p.send(t.response);
    co_await when_all(pump(p, inner), pump(inner, p));
    co_await event_loop::current().sleep(1ms);  // `inner` must not end within its own callback
}

TEST_P(ClientFeatures, tunnels_https_through_a_proxy) {
    testing::certificates files;
    files.make("good", "DNS:server.example");
    upstream up(loop(), respond_with(ok_text("secret")));
    up.use_tls(net::tls_context::server(
        {.certificate_file = files.file("good.pem"), .key_file = files.file("good.key"), .protocols = {"http/1.1"}}));
    const auto port = static_cast<std::uint16_t>(std::stoi(up.url("").substr(up.url("").rfind(':') + 1)));
    std::string seen;
    upstream proxy(loop(), upstream::script_with(tunnel_options{.port = port, .request_head = &seen}, run_tunnel));
    upstream old_proxy(
        loop(), upstream::script_with(tunnel_options{.port = port,
                                                     .request_head = &seen,
                                                     .response = "HTTP/1.1 103 X\r\nLink: a\r\n b\r\n\r\n"
                                                                 "HTTP/1.0 204 OK\r\nX: a\r\n b\r\nVia : x\r\n\r\n"},
                                      run_tunnel));
    client_options options;
    options.tls.ca_file = files.ca_file();
    options.proxies.https = old_proxy.url();
    {
        client http(options);
        EXPECT_EQ(run(http.get("https://server.example/x")).body(), "secret");
    }
    options.proxies.https = "http://us:pw@" + proxy.url().substr(7);
    {
        client http(options);
        for (int i = 0; i < 2; ++i) EXPECT_EQ(run(http.get("https://server.example/x")).body(), "secret");
    }
    EXPECT_EQ(proxy.accepted_count(), 1u);
    EXPECT_EQ(seen.substr(0, seen.find('\r')), "CONNECT server.example:443 HTTP/1.1");
    EXPECT_EQ(field_of(seen, "Proxy-Authorization"), "Basic dXM6cHc=");
    run([](event_loop& l, upstream& u) -> task<void> {
        while (u.open_count() > 0) co_await l.sleep(1ms);
    }(loop(), proxy));
    run([](event_loop& l, upstream& u) -> task<void> {
        while (u.open_count() > 0) co_await l.sleep(1ms);
    }(loop(), old_proxy));
}

TEST_P(ClientFeatures, fails_to_connect_when_the_proxy_refuses) {
    for (const std::string answer :
         {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "nonsense\r\n\r\n", ""}) {
        upstream proxy(loop(),
                       upstream::script_with(answer, [](const std::string& text, upstream::peer& p) -> task<void> {
                           (void)co_await p.read_head();
                           p.send(text);
                       }));
        client_options options;
        options.proxies.https = proxy.url();
        client http(options);
        EXPECT_EQ(failure_of(http, client_request("GET", "https://server.example/")), client_failure::connect)
            << answer;
        EXPECT_EQ(http.connections().open, 0u);
    }
}

TEST(ClientProxies, are_read_from_variables) {
    const auto lookup = [](const char* name) -> const char* {
        const std::string_view n = name;
        if (n == "HTTP_PROXY") return "http://evil:1";
        if (n == "http_proxy") return "proxy:3128";
        if (n == "ALL_PROXY") return "http://all:1";
        if (n == "no_proxy") return "localhost, .example.org,10.0.0.1:81";
        return nullptr;
    };
    const client_proxies p = client_proxies::from_environment(lookup);
    EXPECT_EQ(p.http, "http://proxy:3128");
    EXPECT_EQ(p.https, "http://all:1");
    EXPECT_EQ(p.no_proxy, (std::vector<std::string>{"localhost", ".example.org", "10.0.0.1:81"}));
}

// ---- middleware ----

TEST_P(ClientFeatures, a_circuit_opens_and_closes) {
    upstream up(loop(), respond_by([](const std::string& head) {
                    return head.starts_with("GET /bad") ? std::string("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
                                                        : ok_text("x");
                }));
    client_options options;
    options.middleware.push_back([] {
        return std::make_unique<circuit_breaker>(circuit_breaker_options{.failure_threshold = 2, .open_for = 100ms});
    });
    client http(options);
    const auto ask = [&](const char* path) { return failure_of(http, client_request("GET", up.url(path))); };
    EXPECT_EQ(ask("/bad"), std::nullopt);
    EXPECT_EQ(ask("/good"), std::nullopt);
    EXPECT_EQ(ask("/bad"), std::nullopt);
    EXPECT_EQ(ask("/bad"), std::nullopt);
    EXPECT_EQ(ask("/good"), client_failure::busy);
    run([](event_loop& l) -> task<void> { co_await l.sleep(110ms); }(loop()));
    EXPECT_EQ(ask("/bad"), std::nullopt);
    EXPECT_EQ(ask("/good"), client_failure::busy);
    run([](event_loop& l) -> task<void> { co_await l.sleep(110ms); }(loop()));
    EXPECT_EQ(ask("/good"), std::nullopt);
    EXPECT_EQ(ask("/good"), std::nullopt);
}

TEST_P(ClientFeatures, a_circuit_breaker_limits_the_origins_it_remembers) {
    const auto fails =
        respond_by([](const std::string&) { return std::string("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"); });
    upstream first(loop(), fails), second(loop(), fails), third(loop(), fails);
    client_options options;
    options.middleware.push_back([] {
        return std::make_unique<circuit_breaker>(circuit_breaker_options{.failure_threshold = 1, .max_origins = 2});
    });
    client http(options);
    const auto ask = [&](upstream& u) { return failure_of(http, client_request("GET", u.url("/"))); };
    for (upstream* u : {&first, &second, &third}) EXPECT_EQ(ask(*u), std::nullopt);
    EXPECT_EQ(ask(third), client_failure::busy);
    const auto known = static_cast<int>(ask(first) == client_failure::busy) + (ask(second) == client_failure::busy);
    EXPECT_LE(known, 1);
}

TEST_P(ClientFeatures, concurrency_limit_queues_and_refuses_calls) {
    upstream up(loop(), [](upstream::peer& p) -> task<void> {
        (void)co_await p.read_head();
        co_await event_loop::current().sleep(5ms);
        p.send(ok_text("x"));
    });
    client_options options;
    options.middleware.push_back([] { return std::make_unique<concurrency_limit>(2, 2); });
    client http(options);
    run([](client& h, upstream& u) -> task<void> {
        auto one = [](client& c, std::string url) -> task<int> {
            int answer = 0;
            try {
                const client_response r = co_await c.get(std::move(url));
                answer = r.code();
            } catch (const client_error& e) {
                answer = static_cast<int>(e.kind());
            }
            co_return answer;
        };
        std::vector<task<int>> calls;
        for (int i = 0; i < 5; ++i) calls.push_back(one(h, u.url()));
        const auto all = co_await when_all(std::move(calls));
        EXPECT_EQ(all, (std::vector<int>{200, 200, 200, 200, static_cast<int>(client_failure::busy)}));
    }(http, up));
}

// ---- cancellation ----

// Cancels a call after n turns of the loop, for every n until it completes.
template <class Call>
void cancel_at_every_wait(event_loop& loop, client& http, upstream& up, Call make) {
    for (int turns = 0; turns < 200; ++turns) {
        task_context inner;
        bool completed = false;
        auto cancelling = [](task_context& c, int n) -> task<void> {
            for (int i = 0; i < n; ++i) co_await event_loop::current().sleep(0ms);
            c.cancel.cancel();
        };
        auto calling = [](task<void> t, bool& done) -> task<void> {
            try {
                co_await std::move(t);
                done = true;
            } catch (const cancelled&) {
            }
        };
        task_context outer;
        auto both = [](event_loop& l, task<void> call, task<void> cancel, task_context& c) -> task<void> {
            task_group group;
            group.spawn(std::move(call), c);
            group.spawn(std::move(cancel));
            (void)l;
            co_await group.join();
        };
        loop.run_until(both(loop, calling(make(), completed), cancelling(inner, turns), inner), &outer);
        ASSERT_EQ(http.connections().open, http.connections().idle) << turns;
        ASSERT_EQ(http.connections().waiting, 0u) << turns;
        loop.run_until([](event_loop& l, client& h, upstream& u) -> task<void> {
            while (u.open_count() > h.connections().open) co_await l.sleep(1ms);
        }(loop, http, up));
        if (completed) return;
    }
    ADD_FAILURE() << "no call completed";
}

upstream::script slow_server() {
    return [](upstream::peer& p) -> task<void> {
        for (;;) {
            const std::string head = co_await p.read_head();
            if (!head.ends_with("\r\n\r\n")) co_return;
            const std::string length = field_of(head, "Content-Length");
            if (!length.empty()) {
                const std::string body = co_await p.receive_exactly(std::stoul(length));
                if (body.size() != std::stoul(length)) co_return;
            }
            for (const char* step :
                 {"HTTP/1.1 200 OK\r\nTransfer", "-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n", "0\r\n", "\r\n"}) {
                co_await event_loop::current().sleep(0ms);
                p.send(step);
            }
        }
    };
}

TEST_P(ClientFeatures, calls_can_be_cancelled_at_every_wait) {
    upstream up(loop(), slow_server());
    cancel_at_every_wait(loop(), http_, up, [&] {
        return [](client& http, std::string url) -> task<void> { (void)co_await http.get(std::move(url)); }(http_,
                                                                                                            up.url());
    });
    cancel_at_every_wait(loop(), http_, up, [&] {
        return [](client& http, std::string url) -> task<void> {
            (void)co_await http.send(client_request("PUT", std::move(url)).body(pieces(40), "", 400'000));
        }(http_, up.url());
    });
}

TEST_P(ClientFeatures, queued_tls_calls_can_be_cancelled_at_every_wait) {
    testing::certificates files;
    files.make("good", "DNS:localhost");
    upstream up(loop(), slow_server());
    up.use_tls(net::tls_context::server(
        {.certificate_file = files.file("good.pem"), .key_file = files.file("good.key"), .protocols = {"http/1.1"}}));
    client_options options;
    options.tls.ca_file = files.ca_file();
    options.max_connections_per_origin = 1;
    client http(options);
    cancel_at_every_wait(loop(), http, up, [&] {
        return [](client& h, std::string url) -> task<void> {
            std::vector<task<client_response>> calls;
            for (int i = 0; i < 3; ++i) calls.push_back(h.get(url));
            (void)co_await when_all(std::move(calls));
        }(http, up.secure_url("localhost"));
    });
}

// ---- at random ----

task<void> random_call(client& http, std::string url, unsigned kind) {
    if (kind % 3 == 0) {
        (void)co_await http.get(std::move(url));
    } else if (kind % 3 == 1) {
        auto request = client_request("PUT", std::move(url)).body(pieces(20), "", 200'000);
        (void)co_await http.send(std::move(request));
    } else {
        client_response r = co_await http.open({http::method::get, std::move(url)});
        (void)co_await r.read();
    }
}

task<void> random_cancellations(client& http, std::string url, unsigned seed) {
    std::minstd_rand random(seed);
    for (int i = 0; i < 250; ++i) {
        const auto after = std::chrono::microseconds(random() % 1500);
        try {
            co_await with_timeout(after, random_call(http, url, static_cast<unsigned>(random())));
        } catch (const timed_out&) {
        }
    }
}

TEST_P(ClientFeatures, ten_thousand_cancellations_leak_nothing) {
    const auto descriptors = [] {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
        return count;
    };
    const std::size_t before = descriptors();
    {
        upstream up(loop(), slow_server());
        client_options options;
        options.max_connections_per_origin = 30;
        client http(options);
        std::vector<task<void>> all;
        for (unsigned seed = 1; seed <= 40; ++seed) all.push_back(random_cancellations(http, up.url(), seed));
        run(when_all(std::move(all)));
        EXPECT_EQ(http.connections().open, http.connections().idle);
        EXPECT_EQ(http.connections().waiting, 0u);
        EXPECT_LE(http.connections().open, 30u);
        run([](event_loop& l, client& h, upstream& u) -> task<void> {
            while (u.open_count() > h.connections().open) co_await l.sleep(1ms);
        }(loop(), http, up));
    }
    run([](event_loop& l) -> task<void> { co_await l.sleep(0ms); }(loop()));
    EXPECT_EQ(descriptors(), before);
}

}  // namespace
}  // namespace rondo
