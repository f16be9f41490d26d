// SPDX-License-Identifier: Apache-2.0
#include <rondo/net/tls.hpp>

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/socket.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include <rondo/coro/when_all.hpp>
#include <rondo/loop/backends_fixture.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/net/stream.hpp>
#include <rondo/net/tls_fixture.hpp>

namespace rondo::net {
namespace {

using state = stream_filter::state;

testing::certificates& certificates() {
    static testing::certificates files;
    static const bool created = [] {
        files.make("good", "DNS:localhost,IP:127.0.0.1");
        files.make("expired", "DNS:localhost", "-days -1");
        files.self_signed("self_signed");
        return true;
    }();
    (void)created;
    return files;
}

tls_context server_of(const std::string& name) {
    auto& files = certificates();
    return tls_context::server({.certificate_file = files.file(name + ".pem"),
                                .key_file = files.file(name + ".key"),
                                .protocols = {"http/1.1"}});
}

tls_context client_of(bool verify = true) {
    return tls_context::client({.verify = verify, .ca_file = certificates().ca_file(), .protocols = {"http/1.1"}});
}

// Both filters without a stream: exchanges bytes until neither produces more.
struct filter_pair {
    filter_pair(const tls_context& client, const std::string& host, const tls_context& server)
        : a(client.connect(host)), b(server.accept()) {
        std::string to_b;
        std::string to_a;
        a->receive({}, plain_a, to_b);
        while (!to_b.empty() || !to_a.empty()) {
            const std::string for_b = std::exchange(to_b, {});
            b->receive(for_b, plain_b, to_a);
            const std::string for_a = std::exchange(to_a, {});
            a->receive(for_a, plain_a, to_b);
        }
    }
    std::unique_ptr<stream_filter> a;
    std::unique_ptr<stream_filter> b;
    std::string plain_a;
    std::string plain_b;
};

TEST(Tls, carries_bytes_cut_anywhere) {
    filter_pair ends(client_of(), "localhost", server_of("good"));
    ASSERT_EQ(ends.a->current_state(), state::open) << ends.a->error_message();
    ASSERT_EQ(ends.b->current_state(), state::open) << ends.b->error_message();
    const std::string text(100'000, 'x');
    std::string wire;
    ASSERT_TRUE(ends.a->send(text, wire));
    EXPECT_EQ(wire.find("xxxx"), wire.npos);
    std::string back;
    for (std::size_t i = 0; i < wire.size(); i += 7) ends.b->receive(wire.substr(i, 7), ends.plain_b, back);
    EXPECT_EQ(ends.plain_b, text);
    wire.clear();
    ends.a->shutdown(wire);
    EXPECT_EQ(ends.b->receive(wire, ends.plain_b, back), state::closed);
}

TEST(Tls, requires_a_certificate_for_the_host) {
    EXPECT_EQ(filter_pair(client_of(), "127.0.0.1", server_of("good")).a->current_state(), state::open);
    const filter_pair other(client_of(), "example.org", server_of("good"));
    EXPECT_EQ(other.a->current_state(), state::failed);
    EXPECT_NE(other.a->error_message().find("ostname mismatch"), std::string::npos) << other.a->error_message();
    EXPECT_EQ(filter_pair(client_of(), "127.0.0.2", server_of("good")).a->current_state(), state::failed);
    EXPECT_EQ(filter_pair(client_of(false), "example.org", server_of("good")).a->current_state(), state::open);
}

TEST(Tls, refuses_expired_and_untrusted_certificates) {
    const filter_pair expired(client_of(), "localhost", server_of("expired"));
    EXPECT_EQ(expired.a->current_state(), state::failed);
    EXPECT_NE(expired.a->error_message().find("expired"), std::string::npos) << expired.a->error_message();
    const filter_pair self_signed(client_of(), "localhost", server_of("self_signed"));
    EXPECT_EQ(self_signed.a->current_state(), state::failed);
    EXPECT_NE(self_signed.a->error_message().find("self-signed"), std::string::npos) << self_signed.a->error_message();
    const filter_pair unknown(tls_context::client({}), "localhost", server_of("good"));
    EXPECT_EQ(unknown.a->current_state(), state::failed);
}

TEST(Tls, fails_on_plain_text) {
    auto a = client_of().connect("localhost");
    std::string plain;
    std::string wire;
    a->receive({}, plain, wire);
    EXPECT_EQ(a->receive("HTTP/1.1 400 Bad Request\r\n\r\n", plain, wire), state::failed);
    EXPECT_FALSE(a->error_message().empty());
    EXPECT_FALSE(a->send("x", wire));
}

TEST(Tls, errors_name_the_unusable_file) {
    for (const auto& make :
         {+[] { (void)tls_context::client({.verify = true, .ca_file = "/nowhere", .protocols = {}}); },
          +[] {
              (void)tls_context::server({.certificate_file = "/nowhere", .key_file = "/nowhere", .protocols = {}});
          }}) {
        try {
            make();
            ADD_FAILURE();
        } catch (const tls_error& e) {
            EXPECT_NE(std::string(e.what()).find("/nowhere"), std::string::npos) << e.what();
        }
    }
}

class TlsStream : public ::testing::TestWithParam<backend_kind> {
public:
    TlsStream() : loop_({GetParam()}), out_(loop_), pool_({.name = "blocking", .threads = 1}) {
        loop_.use_pools(&pool_, nullptr);
        int fds[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        a_ = std::make_unique<stream>(out_, unique_fd(fds[0]));
        b_ = std::make_unique<stream>(out_, unique_fd(fds[1]));
    }

protected:
    static task<void> complete_handshake(stream& s) {
        while (s.filter()->current_state() == state::handshaking) {
            const input_event event = co_await s.receive();
            EXPECT_EQ(event, input_event::data);
            if (event != input_event::data) co_return;
        }
    }
    static task<void> connect_filters(stream& a, stream& b) {
        b.set_filter(server_of("good").accept());
        a.set_filter(client_of().connect("localhost"));
        co_await when_all(complete_handshake(a), complete_handshake(b));
    }
    static task<std::string> read_all(stream& s) {
        std::string input;
        for (;;) {
            input += s.input();
            s.consume(s.input().size());
            const input_event event = co_await s.receive();
            if (event == input_event::failed) input += "(broken)";
            if (event != input_event::data) break;
        }
        co_return input;
    }

    event_loop loop_;
    output_buffer out_;
    thread_pool pool_;
    std::unique_ptr<stream> a_;
    std::unique_ptr<stream> b_;
};

// An attacker on the path could inject bytes before the handshake; they must not count as the peer's.
TEST_P(TlsStream, refuses_input_received_before_the_filter) {
    loop_.run_until([](stream& a, stream& b) -> task<void> {
        a.write("early");
        a.flush();
        const input_event event = co_await b.receive();
        EXPECT_EQ(event, input_event::data);
        b.consume(4);
        EXPECT_THROW(b.set_filter(server_of("good").accept()), unread_input_error);
        EXPECT_EQ(b.filter(), nullptr);
        EXPECT_EQ(b.input(), "y");
        b.consume(1);
        co_await connect_filters(a, b);
        EXPECT_EQ(a.filter()->current_state(), state::open);
    }(*a_, *b_));
}

TEST_P(TlsStream, sends_a_megabyte_and_a_close_notify) {
    loop_.run_until([](stream& a, stream& b) -> task<void> {
        co_await connect_filters(a, b);
        auto send = [](stream& s) -> task<void> {
            s.write("first ");
            const std::string block(1 << 20, 'x');
            EXPECT_TRUE(co_await s.write_all(block));
            s.shutdown_output();
        };
        auto [nothing, received] = co_await when_all(send(a), read_all(b));
        EXPECT_EQ(received, "first " + std::string(1 << 20, 'x'));
        EXPECT_TRUE(b.input_ended());
    }(*a_, *b_));
}

TEST_P(TlsStream, sends_part_of_a_file) {
    std::FILE* file = std::tmpfile();
    std::fputs(std::string(300'000, 'f').c_str(), file);
    std::fflush(file);
    loop_.run_until([](stream& a, stream& b, int fd) -> task<void> {
        co_await connect_filters(a, b);
        auto send = [](stream& s, int from) -> task<void> {
            EXPECT_TRUE(co_await s.write_file(from, 10, 200'000));
            EXPECT_FALSE(co_await s.write_file(from, 299'999, 10));
            s.shutdown_output();
        };
        auto [nothing, received] = co_await when_all(send(a, fd), read_all(b));
        EXPECT_EQ(received, std::string(200'001, 'f'));
    }(*a_, *b_, ::fileno(file)));
    std::fclose(file);
}

TEST_P(TlsStream, reports_a_truncated_stream_as_a_failure) {
    loop_.run_until([](stream& a, stream& b) -> task<void> {
        co_await connect_filters(a, b);
        a.write("half");
        (void)co_await a.drained();
        ::shutdown(a.fd(), SHUT_RDWR);  // FIN without close_notify
        const std::string received = co_await read_all(b);
        EXPECT_EQ(received, "half(broken)");
    }(*a_, *b_));
}

INSTANTIATE_TEST_SUITE_P(backends, TlsStream, ::testing::ValuesIn(testing::available_backends()),
                         testing::backend_name);

}  // namespace
}  // namespace rondo::net
