// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/base/unique_fd.hpp>

#include <rondo/client/client.hpp>
#include <rondo/client/upstream_fixture.hpp>
#include <rondo/loop/backends_fixture.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/net/tls_fixture.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;
using testing::ok_text;
using testing::upstream;

class TlsCalls : public ::testing::TestWithParam<backend_kind> {
public:
    static void SetUpTestSuite() {
        files_ = new testing::certificates;
        files_->make("good", "DNS:localhost,IP:127.0.0.1");
        files_->make("late", "DNS:localhost,IP:127.0.0.1", "-days -1");
        files_->make("other", "DNS:example.org");
        files_->self_signed("own");
    }
    static void TearDownTestSuite() { delete files_; }

    TlsCalls() : loop_({GetParam()}), pool_({.name = "blocking", .threads = 2}), http_(trusting_options()) {
        loop_.use_pools(&pool_, nullptr);
    }

protected:
    static client_options trusting_options() {
        client_options options;
        options.tls.ca_file = files_->ca_file();
        return options;
    }
    static net::tls_context server_context(const std::string& name) {
        return net::tls_context::server({.certificate_file = files_->file(name + ".pem"),
                                         .key_file = files_->file(name + ".key"),
                                         .protocols = {"http/1.1"}});
    }
    static upstream::script respond_with(std::string response) {
        return upstream::script_with(std::move(response), [](const std::string& text, upstream::peer& p) -> task<void> {
            for (;;) {
                const std::string head = co_await p.read_head();
                if (!head.ends_with("\r\n\r\n")) co_return;
                p.send(text);
            }
        });
    }
    std::optional<client_failure> failure_of(client& http, std::string url) {
        try {
            (void)loop_.run_until(http.get(std::move(url)));
        } catch (const client_error& e) {
            error_message_ = e.what();
            return e.kind();
        }
        return std::nullopt;
    }

    static inline testing::certificates* files_ = nullptr;
    event_loop loop_;
    thread_pool pool_;
    client http_;
    std::string error_message_;
};

TEST_P(TlsCalls, reuses_the_connection) {
    upstream up(loop_, respond_with(ok_text(std::string(200'000, 'x'))));
    up.use_tls(server_context("good"));
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(loop_.run_until(http_.get(up.secure_url("localhost"))).body(), std::string(200'000, 'x'));
    }
    EXPECT_EQ(up.accepted_count(), 1u);
    EXPECT_EQ(loop_.run_until(http_.get(up.secure_url("127.0.0.1"))).code(), 200);
    EXPECT_EQ(up.accepted_count(), 2u);
}

TEST_P(TlsCalls, sends_a_large_request) {
    upstream up(loop_, [](upstream::peer& p) -> task<void> {
        (void)co_await p.read_head();
        const std::string body = co_await p.receive_exactly(1 << 20);
        p.send(ok_text(body == std::string(1 << 20, 'y') ? "same" : "different"));
        co_await p.wait_closed();
    });
    up.use_tls(server_context("good"));
    auto r = loop_.run_until(http_.put(up.secure_url("localhost"), std::string(1 << 20, 'y'), "text/plain"));
    EXPECT_EQ(r.body(), "same");
}

TEST_P(TlsCalls, rejects_bad_certificates) {
    for (const char* name : {"late", "other", "own"}) {
        upstream up(loop_, respond_with(ok_text("x")));
        up.use_tls(server_context(name));
        EXPECT_EQ(failure_of(http_, up.secure_url("localhost")), client_failure::tls) << name;
        EXPECT_NE(error_message_.find("certificate verification failed"), std::string::npos) << error_message_;
        EXPECT_EQ(http_.connections().open, 0u);
        client_options insecure;
        insecure.tls.verify = false;
        client without_verify(insecure);
        EXPECT_EQ(failure_of(without_verify, up.secure_url("localhost")), std::nullopt) << name << error_message_;
    }
}

TEST_P(TlsCalls, fails_when_the_server_has_no_tls) {
    upstream up(loop_, [](upstream::peer& p) -> task<void> {
        p.send("HTTP/1.1 400 Bad Request\r\n\r\n");
        co_await p.wait_closed();
    });
    EXPECT_EQ(failure_of(http_, up.secure_url("localhost")), client_failure::tls);
    upstream closes(loop_, [](upstream::peer&) -> task<void> { co_return; });
    EXPECT_EQ(failure_of(http_, closes.secure_url("localhost")), client_failure::tls);
}

TEST_P(TlsCalls, handshake_times_out) {
    upstream up(loop_, [](upstream::peer& p) -> task<void> { co_await p.wait_closed(); });
    client_options options = trusting_options();
    options.timeouts.connect = 50ms;
    client impatient(options);
    EXPECT_EQ(failure_of(impatient, up.secure_url("localhost")), client_failure::timeout);
    EXPECT_EQ(impatient.connections().open, 0u);
}

TEST_P(TlsCalls, detects_a_truncated_body) {
    upstream up(loop_, [](upstream::peer& p) -> task<void> {
        (void)co_await p.read_head();
        p.send("HTTP/1.1 200 OK\r\n\r\nhalf");
        (void)co_await p.drained();
        ::shutdown(p.fd(), SHUT_RDWR);
    });
    up.use_tls(server_context("good"));
    EXPECT_EQ(failure_of(http_, up.secure_url("localhost")), client_failure::closed);
    upstream ends(loop_, [](upstream::peer& p) -> task<void> {
        (void)co_await p.read_head();
        p.send("HTTP/1.1 200 OK\r\n\r\nwhole");
    });
    ends.use_tls(server_context("good"));
    EXPECT_EQ(loop_.run_until(http_.get(ends.secure_url("localhost"))).body(), "whole");
}

TEST_P(TlsCalls, error_names_a_missing_ca_file) {
    upstream up(loop_, respond_with(ok_text("x")));
    client_options options;
    options.tls.ca_file = "/nowhere/ca.pem";
    client http(options);
    EXPECT_EQ(failure_of(http, up.secure_url("localhost")), client_failure::tls);
    EXPECT_NE(error_message_.find("/nowhere/ca.pem"), std::string::npos) << error_message_;
}

// `openssl s_server -www`: closes after each response, which describes the handshake.
class openssl_server {
public:
    openssl_server(const testing::certificates& files, const char* version) {
        std::array<int, 2> out{};
        if (::pipe2(out.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
        const std::string key = files.file("good.key"), certificate = files.file("good.pem");
        std::vector<std::string> command{"openssl", "s_server", "-accept", "127.0.0.1:0", "-www",
                                         version,   "-key",     key,       "-cert",       certificate};
        std::vector<char*> arguments;
        for (std::string& w : command) arguments.push_back(w.data());
        arguments.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, out[1], 1);
        const int failed = ::posix_spawnp(&pid_, "openssl", &actions, nullptr, arguments.data(), environ);
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(out[1]);
        out_ = unique_fd(out[0]);
        if (failed != 0) throw std::runtime_error("the openssl program is not installed: ./dev packages test");
        std::string line;
        for (char c = 0; ::read(out_.value(), &c, 1) == 1 && !(c == '\n' && line.starts_with("ACCEPT"));)
            line = c == '\n' ? std::string() : line + c;
        port_ = line.substr(line.rfind(':') + 1);
    }
    ~openssl_server() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    openssl_server(const openssl_server&) = delete;
    openssl_server& operator=(const openssl_server&) = delete;
    [[nodiscard]] std::string url(const std::string& host) const { return "https://" + host + ":" + port_ + "/"; }

private:
    pid_t pid_ = 0;
    unique_fd out_;
    std::string port_;
};

TEST_P(TlsCalls, resumes_sessions) {
    for (const char* version : {"-tls1_3", "-tls1_2"}) {
        const openssl_server server(*files_, version);
        const auto page_from = [&](const std::string& host) {
            return loop_.run_until(http_.get(server.url(host))).body();
        };
        EXPECT_NE(page_from("localhost").find("\nNew, TLSv1."), std::string::npos) << version;
        for (int i = 0; i < 6; ++i) {
            const std::string page = page_from("localhost");
            EXPECT_NE(page.find("\nReused, TLSv1."), std::string::npos) << version << page;
        }
        EXPECT_NE(page_from("127.0.0.1").find("\nNew, TLSv1."), std::string::npos) << "the certificate must match";
    }
}

TEST_P(TlsCalls, full_handshake_when_the_server_forgot_the_session) {
    upstream up(loop_, [](upstream::peer& p) -> task<void> {
        (void)co_await p.read_head();
        p.send(ok_text("x", "Connection: close\r\n"));
    });
    for (int i = 0; i < 3; ++i) {
        up.use_tls(server_context("good"));  // with a new session ticket key
        for (int k = 0; k < 2; ++k)
            EXPECT_EQ(failure_of(http_, up.secure_url("localhost")), std::nullopt) << error_message_;
    }
    up.use_tls(server_context("own"));
    EXPECT_EQ(failure_of(http_, up.secure_url("localhost")), client_failure::tls) << "the certificate is verified";
}

INSTANTIATE_TEST_SUITE_P(backends, TlsCalls, ::testing::ValuesIn(testing::available_backends()), testing::backend_name);

}  // namespace
}  // namespace rondo
