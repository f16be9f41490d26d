// SPDX-License-Identifier: Apache-2.0
// Streams whose peer resets the connection while output is sent.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <rondo/coro/task_group.hpp>
#include <rondo/coro/this_context.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/net/output_buffer.hpp>
#include <rondo/net/stream.hpp>

namespace rondo::net {
namespace {

using namespace std::chrono_literals;

struct watched_stream final : stream {
    using stream::stream;
    void on_peer_closed(bool fully_closed) noexcept override { closes += fully_closed ? 1 : 0; }
    int closes = 0;
};

class FailedSend : public ::testing::TestWithParam<backend_kind> {
public:
    FailedSend() : loop_({GetParam()}), out_(loop_) {}

    /// Returns a stream; `peer` is the socket at its other end.
    std::unique_ptr<watched_stream> connect(unique_fd& peer) {
        const unique_fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        auto* address = reinterpret_cast<sockaddr*>(&at);
        EXPECT_EQ(::bind(listener.value(), address, size), 0);
        EXPECT_EQ(::listen(listener.value(), 1), 0);
        EXPECT_EQ(::getsockname(listener.value(), address, &size), 0);
        unique_fd own(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(::connect(own.value(), address, size), 0);
        peer.reset(::accept4(listener.value(), nullptr, nullptr, SOCK_CLOEXEC));
        return std::make_unique<watched_stream>(out_, std::move(own));
    }
    template <class T>
    T run(task<T> t) {
        return loop_.run_until(with_timeout(20s, std::move(t)));
    }

    static void reset(unique_fd& peer) {
        linger option{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(peer.value(), SOL_SOCKET, SO_LINGER, &option, sizeof option);
        peer.reset();
    }
    static void put(const unique_fd& peer, std::string_view bytes) {
        EXPECT_EQ(::send(peer.value(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    }
    static std::string received_by(const unique_fd& peer) {
        std::string bytes(4096, '\0');
        const ssize_t n = ::recv(peer.value(), bytes.data(), bytes.size(), MSG_DONTWAIT);
        bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return bytes;
    }

    event_loop loop_;
    output_buffer out_;
};

struct single_reader {
    stream& from;
    stream& to;
    std::optional<input_event> ended;

    task<void> read() {
        ended = co_await from.receive();
        to.write("[by the reader]");
    }
};

// The reader writes to another stream as soon as its receive ends. If it were resumed within the write below, its bytes
// would end up in the middle of that output.
TEST_P(FailedSend, does_not_resume_the_reader_within_a_write_to_another_stream) {
    unique_fd one_peer;
    unique_fd two_peer;
    const auto one = connect(one_peer);
    const auto two = connect(two_peer);
    single_reader reader{*one, *two, std::nullopt};
    run([](stream& a, stream& b, single_reader& r, unique_fd& peer) -> task<void> {
        task_group group(co_await this_context());
        group.spawn(r.read());
        reset(peer);
        a.write("never read");
        b.write("head ");
        EXPECT_FALSE(r.ended);
        b.write("body ");
        EXPECT_FALSE(r.ended);
        co_await group.join();
        const bool sent = co_await b.drained();
        EXPECT_TRUE(sent);
    }(*one, *two, reader, one_peer));
    EXPECT_EQ(reader.ended, input_event::failed);
    EXPECT_EQ(received_by(two_peer), "head body [by the reader]");
}

TEST_P(FailedSend, does_not_resume_the_reader_within_flush_reserve_or_interrupt) {
    for (const int call : {0, 1, 2}) {
        unique_fd peer;
        unique_fd other_peer;
        const auto s = connect(peer);
        const auto other = connect(other_peer);
        single_reader reader{*s, *other, std::nullopt};
        run([](stream& a, single_reader& r, unique_fd& p, int c) -> task<void> {
            task_group group(co_await this_context());
            group.spawn(r.read());
            reset(p);
            a.write("never read");
            if (c == 0) a.flush();
            else if (c == 1) (void)a.reserve(output_buffer::block_size);
            else a.interrupt();
            EXPECT_FALSE(r.ended);
            co_await group.join();
        }(*s, reader, peer, call));
        EXPECT_EQ(reader.ended, call == 2 ? input_event::interrupted : input_event::failed);
    }
}

// The owner of a stream may cancel, close and destroy it in on_peer_closed().
TEST_P(FailedSend, reports_the_failure_after_the_call) {
    unique_fd peer;
    const auto s = connect(peer);
    run([](watched_stream& a, unique_fd& p) -> task<void> {
        reset(p);
        a.write("never read");
        a.flush();
        EXPECT_EQ(a.closes, 0);
        while (a.closes == 0) co_await sleep(1ms);
        EXPECT_TRUE(a.failed());
    }(*s, peer));
    EXPECT_EQ(s->closes, 1);
}

task<std::string> read_with_ending(stream& s) {
    std::string all;
    for (;;) {
        all += s.input();
        s.consume(s.input().size());
        const input_event event = co_await s.receive();
        if (event == input_event::data) continue;
        co_return all + (event == input_event::end ? "|end" : "|failed");
    }
}

TEST_P(FailedSend, earlier_input_is_readable_before_the_failure) {
    unique_fd peer;
    const auto s = connect(peer);
    const std::string received = run([](stream& a, unique_fd& p) -> task<std::string> {
        put(p, "early answer");
        reset(p);
        a.write("unwanted");
        const bool sent = co_await a.drained();
        EXPECT_FALSE(sent);
        EXPECT_TRUE(a.failed());
        co_return co_await read_with_ending(a);
    }(*s, peer));
    EXPECT_EQ(received, "early answer|failed");
}

// The peer had completed its output before the reset.
TEST_P(FailedSend, an_end_before_the_reset_is_not_a_failure) {
    unique_fd peer;
    const auto s = connect(peer);
    const std::string received = run([](stream& a, unique_fd& p) -> task<std::string> {
        put(p, "whole answer");
        ::shutdown(p.value(), SHUT_WR);
        reset(p);
        a.write("unwanted");
        const bool sent = co_await a.drained();
        EXPECT_FALSE(sent);
        co_return co_await read_with_ending(a);
    }(*s, peer));
    EXPECT_EQ(received, "whole answer|end");
}

// The kernel reports an error only once, here to a receive while no task reads.
TEST_P(FailedSend, a_reset_while_nothing_reads_is_a_failure) {
    unique_fd peer;
    const auto s = connect(peer);
    const std::string received = run([](stream& a, unique_fd& p) -> task<std::string> {
        put(p, "part");
        const input_event first = co_await a.receive();
        EXPECT_EQ(first, input_event::data);
        a.buffer_input();
        co_await sleep(20ms);
        reset(p);
        co_await sleep(20ms);
        co_return co_await read_with_ending(a);
    }(*s, peer));
    EXPECT_EQ(received, "part|failed");
}

// The last send from the shared block completes while another stream is about to write to it.
TEST_P(FailedSend, reuses_output_blocks) {
    unique_fd full_peer;
    const auto full = connect(full_peer);
    struct steps {
        static task<void> write_when_woken(stream& woken, stream& to) {
            (void)co_await woken.receive();
            to.write(std::string(3000, 'b'));
        }
        static task<void> write_later(stream& to) {
            co_await sleep(0ms);
            to.write(std::string(16000, 'c'));
        }
    };
    run([](FailedSend& t, stream& unsent) -> task<void> {
        unsent.write(std::string(8 << 20, 'x'));
        co_await sleep(20ms);
        for (int i = 0; i < 20; ++i) {
            unique_fd peers[3];
            const auto sends = t.connect(peers[0]);
            const auto woken = t.connect(peers[1]);
            const auto last = t.connect(peers[2]);
            put(peers[1], "x");
            task_group group(co_await this_context());
            group.spawn(steps::write_when_woken(*woken, unsent));
            sends->write(std::string(60000, 'a'));
            group.spawn(steps::write_later(*last));
            co_await group.join();
            co_await sleep(1ms);
        }
        EXPECT_LE(t.out_.block_count(), 8u);
    }(*this, *full));
}

TEST_P(FailedSend, a_waiting_writer_ends) {
    unique_fd peer;
    const auto s = connect(peer);
    struct steps {
        static task<void> send(stream& a, std::optional<bool>& sent) {
            const std::string data(16 << 20, 'x');
            sent = co_await a.write_all(data);
        }
        static task<void> cut(unique_fd& p) {
            co_await sleep(20ms);
            reset(p);
        }
    };
    std::optional<bool> sent;
    run([](stream& a, unique_fd& p, std::optional<bool>& result) -> task<void> {
        co_await when_all(steps::send(a, result), steps::cut(p));
    }(*s, peer, sent));
    EXPECT_EQ(sent, false);
}

std::string name_of(const ::testing::TestParamInfo<backend_kind>& info) {
    return info.param == backend_kind::epoll ? "epoll" : "io_uring";
}
INSTANTIATE_TEST_SUITE_P(backends, FailedSend, ::testing::Values(backend_kind::epoll, backend_kind::io_uring), name_of);

}  // namespace
}  // namespace rondo::net
