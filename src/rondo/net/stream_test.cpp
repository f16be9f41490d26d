// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rondo/coro/event.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/net/output_buffer.hpp>
#include <rondo/net/stream.hpp>

namespace rondo::net {
namespace {

using namespace std::chrono_literals;

struct socket_pair {
    unique_fd server;
    unique_fd client;
};

socket_pair unix_pair(int type = SOCK_STREAM) {
    int fds[2];
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds)) throw std::system_error(errno, std::generic_category());
    return {unique_fd(fds[0]), unique_fd(fds[1])};
}

socket_pair tcp_pair() {
    unique_fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto* address = reinterpret_cast<sockaddr*>(&at);
    if (::bind(listener.value(), address, size) || ::listen(listener.value(), 1) ||
        ::getsockname(listener.value(), address, &size))
        throw std::system_error(errno, std::generic_category());
    unique_fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(client.value(), address, size)) throw std::system_error(errno, std::generic_category());
    return {unique_fd(::accept4(listener.value(), nullptr, nullptr, SOCK_CLOEXEC)), std::move(client)};
}

void put(const unique_fd& fd, std::string_view bytes) {
    ASSERT_EQ(::send(fd.value(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
}

// Returns the bytes available now; "-" when there are none.
std::string receive_available(const unique_fd& fd, std::size_t max_size = 1 << 20) {
    std::string bytes(max_size, '\0');
    ssize_t n = ::recv(fd.value(), bytes.data(), max_size, MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN ? "-" : "error " + std::to_string(errno);
    bytes.resize(static_cast<std::size_t>(n));
    return bytes;
}

struct recording_stream final : stream {
    using stream::stream;
    void on_peer_closed(bool fully_closed) noexcept override { ++(fully_closed ? closes : half_closes); }
    int closes = 0, half_closes = 0;
};

class Stream : public ::testing::TestWithParam<backend_kind> {
protected:
    Stream() : loop_({GetParam()}), pool_({.name = "blocking", .threads = 2}), out_(loop_) {
        loop_.use_pools(&pool_, &pool_);
    }

    template <class T>
    T run(task<T> t) {
        return loop_.run_until(with_timeout(20s, std::move(t)));
    }
    void run_turns(int count = 3) {
        struct wait {
            static task<void> some(int n) {
                for (int i = 0; i < n; ++i) co_await sleep(2ms);
            }
        };
        loop_.run_until(wait::some(count));
    }

    event_loop loop_;
    thread_pool pool_;
    output_buffer out_;
};

task<void> join_all(task_group& group) { co_await group.join(); }

task<std::string> read_to_end(stream& s) {
    std::string all;
    for (;;) {
        all += s.input();
        s.consume(s.input().size());
        if (co_await s.receive() != input_event::data) break;
    }
    all += s.input();
    co_return all;
}

TEST_P(Stream, receives_input_and_its_end) {
    socket_pair e = tcp_pair();
    recording_stream s(out_, std::move(e.server));
    put(e.client, "hello");
    ::shutdown(e.client.value(), SHUT_WR);
    EXPECT_EQ(run(read_to_end(s)), "hello");
    EXPECT_TRUE(s.input_ended());
    EXPECT_FALSE(s.failed());
}

TEST_P(Stream, keeps_unconsumed_input) {
    socket_pair e = tcp_pair();
    recording_stream s(out_, std::move(e.server));
    struct reading {
        static task<void> of(stream& from, unique_fd& client) {
            put(client, "one");
            EXPECT_EQ(co_await from.receive(), input_event::data);
            EXPECT_EQ(from.input(), "one");
            from.consume(1);
            co_await sleep(1ms);
            EXPECT_EQ(from.input(), "ne");
            put(client, "two");
            while (from.input().size() < 5) EXPECT_EQ(co_await from.receive(), input_event::data);
            EXPECT_EQ(from.input(), "netwo");
        }
    };
    run(reading::of(s, e.client));
}

TEST_P(Stream, buffered_input_stays_valid_until_the_next_receive) {
    socket_pair e = tcp_pair();
    recording_stream s(out_, std::move(e.server));
    struct reading {
        static task<void> of(stream& from, unique_fd& client) {
            put(client, "first");
            (void)co_await from.receive();
            from.buffer_input();
            std::string_view view = from.input();
            // More input arrives than fits the buffer; the earlier view stays valid.
            put(client, std::string(30'000, 'x'));
            co_await sleep(20ms);
            EXPECT_EQ(view, "first");
            from.consume(5);
            std::size_t received = 0;
            while (received < 30'000) {
                received += from.input().size();
                from.consume(from.input().size());
                if (received < 30'000) (void)co_await from.receive();
            }
            EXPECT_EQ(received, 30'000u);
        }
    };
    run(reading::of(s, e.client));
}

TEST_P(Stream, applies_back_pressure_while_nothing_reads) {
    socket_pair e = tcp_pair();
    recording_stream s(out_, std::move(e.server));
    struct reading {
        static task<void> first(stream& from, unique_fd& client) {
            put(client, "x");
            (void)co_await from.receive();
        }
    };
    run(reading::first(s, e.client));
    std::string block(1 << 20, 'y');
    std::size_t sent = 0;
    for (int i = 0; i < 200; ++i) {
        ssize_t n = ::send(e.client.value(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0) sent += static_cast<std::size_t>(n);
        run_turns(1);
    }
    EXPECT_LE(s.input().size(), 4 * stream::max_unread_input + (1u << 20));
    ::shutdown(e.client.value(), SHUT_WR);
    // No input is lost.
    EXPECT_EQ(run(read_to_end(s)).size(), sent + 1);
}

TEST_P(Stream, sends_the_writes_of_a_turn_at_once) {
    socket_pair e = unix_pair(SOCK_SEQPACKET);  // preserves the boundaries of sends
    recording_stream s(out_, std::move(e.server));
    struct writing {
        static task<void> to(stream& s) {
            s.write("one ");
            s.write("two ");
            char* memory = s.reserve(5);
            std::copy_n("three", 5, memory);
            s.commit(5);
            EXPECT_EQ(s.corked(), 13u);
            co_return;
        }
    };
    run(writing::to(s));
    run_turns();
    EXPECT_EQ(receive_available(e.client), "one two three");
    EXPECT_EQ(receive_available(e.client), "-");
}

TEST_P(Stream, a_write_to_another_stream_flushes_corked_output) {
    socket_pair a = unix_pair(SOCK_SEQPACKET);
    socket_pair b = unix_pair(SOCK_SEQPACKET);
    recording_stream first(out_, std::move(a.server));
    recording_stream second(out_, std::move(b.server));
    first.write("first");
    second.write("second");
    EXPECT_EQ(first.corked(), 0u);
    EXPECT_EQ(second.corked(), 6u);
    run_turns();
    EXPECT_EQ(receive_available(a.client), "first");
    EXPECT_EQ(receive_available(b.client), "second");
}

TEST_P(Stream, can_truncate_corked_output) {
    socket_pair e = unix_pair();
    recording_stream s(out_, std::move(e.server));
    s.write("keep");
    s.write("drop");
    s.truncate_corked(4);
    s.write("!");
    run_turns();
    EXPECT_EQ(receive_available(e.client), "keep!");
    auto flushes = s.flush_count();
    s.write("more");
    s.flush();
    EXPECT_NE(s.flush_count(), flushes);
}

TEST_P(Stream, sends_large_output_completely) {
    socket_pair e = tcp_pair();
    recording_stream s(out_, std::move(e.server));
    std::string all;
    for (int i = 0; i < 200'000; ++i) all += std::to_string(i) + ' ';
    s.write(all);
    std::string received;
    struct writing {
        static task<void> drain(stream& s, unique_fd& client, std::string& received) {
            while (s.unsent_bytes() > 0 || received.empty()) {
                std::string part = receive_available(client);
                if (part != "-") received += part;
                co_await sleep(1ms);
            }
        }
    };
    run(writing::drain(s, e.client, received));
    for (std::string part = receive_available(e.client); part != "-"; part = receive_available(e.client))
        received += part;
    EXPECT_EQ(received, all);
}

task<void> wait_until_drained(stream& s, std::optional<bool>& result) { result = co_await s.drained(); }

TEST_P(Stream, drained_waits_for_a_slow_reader) {
    socket_pair e = tcp_pair();
    recording_stream s(out_, std::move(e.server));
    std::string block(16 << 20, 'x');
    s.write(block);
    task_group group;
    std::optional<bool> drained;
    group.spawn(wait_until_drained(s, drained));
    run_turns();
    EXPECT_FALSE(drained.has_value());
    EXPECT_GT(s.unsent_bytes(), stream::high_water);
    EXPECT_LT(s.bytes_acknowledged(), block.size());
    std::size_t received = 0;
    for (int i = 0; i < 20'000 && received < block.size(); ++i) {
        std::string part = receive_available(e.client);
        if (part != "-") received += part.size();
        run_turns(1);
    }
    EXPECT_EQ(received, block.size());
    EXPECT_EQ(drained, true);
    run_turns();
    EXPECT_EQ(s.bytes_acknowledged(), block.size());
    run(join_all(group));
}

TEST_P(Stream, bytes_in_the_kernel_buffer_are_not_acknowledged) {
    socket_pair e = tcp_pair();
    recording_stream s(out_, std::move(e.server));
    struct waiting {
        static task<void> forever(stream& s, event& done) {
            std::string block(64 << 20, 'x');
            (void)co_await s.write_all(block);
            done.set();
        }
    };
    event done;
    task_group group;
    group.spawn(waiting::forever(s, done));
    run_turns(10);
    std::uint64_t before = s.bytes_acknowledged();
    EXPECT_FALSE(done.is_set());
    // The peer reads a little: not enough to make the socket writable, but progress.
    for (int i = 0; i < 50; ++i) {
        (void)receive_available(e.client, 8192);
        run_turns(1);
    }
    EXPECT_GT(s.bytes_acknowledged(), before);
    s.interrupt();
    run(join_all(group));
}

task<void> record_receive(stream& s, std::optional<input_event>& result) { result = co_await s.receive(); }

TEST_P(Stream, interrupt_wakes_reader_and_writer) {
    socket_pair e = tcp_pair();
    recording_stream s(out_, std::move(e.server));
    s.write(std::string(16 << 20, 'x'));
    task_group group;
    std::optional<input_event> reading;
    std::optional<bool> writing;
    group.spawn(record_receive(s, reading));
    group.spawn(wait_until_drained(s, writing));
    run_turns();
    EXPECT_FALSE(reading || writing);
    s.interrupt();
    run_turns();
    EXPECT_EQ(reading, input_event::interrupted);
    EXPECT_EQ(writing, false);
    run(join_all(group));
}

// After an interrupted receive the coroutine sends a final message and waits until it is sent.
TEST_P(Stream, an_interrupted_reader_can_still_write) {
    socket_pair e = tcp_pair();
    recording_stream s(out_, std::move(e.server));
    struct final_message {
        static task<void> by(stream& s, std::optional<bool>& sent) {
            EXPECT_EQ(co_await s.receive(), input_event::interrupted);
            s.clear_interrupt();
            s.write("goodbye");
            sent = co_await s.drained();
            s.shutdown_output();
        }
    };
    std::optional<bool> sent;
    task_group group;
    group.spawn(final_message::by(s, sent));
    run_turns();
    s.interrupt();
    run_turns();
    EXPECT_EQ(sent, true);
    EXPECT_EQ(receive_available(e.client), "goodbye");
    EXPECT_EQ(receive_available(e.client), "");
    run(join_all(group));
}

TEST_P(Stream, write_all_keeps_the_order) {
    socket_pair e = tcp_pair();
    recording_stream s(out_, std::move(e.server));
    std::string block(300'000, 'b');
    struct writing {
        static task<bool> to(stream& s, std::string_view block) {
            s.write("head ");
            bool sent = co_await s.write_all(block);
            s.write(" tail");
            co_return sent;
        }
    };
    std::string received;
    task_group group;
    std::optional<bool> sent;
    struct note {
        static task<void> result(task<bool> t, std::optional<bool>& to) { to = co_await std::move(t); }
    };
    group.spawn(note::result(writing::to(s, block), sent));
    for (int i = 0; i < 5000 && received.size() < block.size() + 10; ++i) {
        run_turns(1);
        if (std::string part = receive_available(e.client); part != "-") received += part;
    }
    EXPECT_EQ(received, "head " + block + " tail");
    EXPECT_EQ(sent, true);
    run(join_all(group));
}

unique_fd temporary_file(std::string_view content) {
    char name[] = "/tmp/rondo-net-XXXXXX";
    unique_fd file(::mkostemp(name, O_CLOEXEC));
    ::unlink(name);
    EXPECT_EQ(::write(file.value(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
    return file;
}

TEST_P(Stream, sends_part_of_a_file) {
    socket_pair e = tcp_pair();
    recording_stream s(out_, std::move(e.server));
    std::string content;
    for (int i = 0; i < 300'000; ++i) content += std::to_string(i % 10);
    unique_fd file = temporary_file(content);
    std::string received;
    std::optional<bool> sent;
    struct writing {
        static task<void> to(stream& s, int file, std::size_t size, std::optional<bool>& sent) {
            s.write("<");
            sent = co_await s.write_file(file, 5, size);
            s.write(">");
        }
    };
    task_group group;
    group.spawn(writing::to(s, file.value(), content.size() - 5, sent));
    for (int i = 0; i < 5000 && !received.ends_with('>'); ++i) {
        run_turns(1);
        if (std::string part = receive_available(e.client); part != "-") received += part;
    }
    EXPECT_EQ(received, "<" + content.substr(5) + ">");
    EXPECT_EQ(sent, true);
    run(join_all(group));
}

TEST_P(Stream, write_file_fails_when_the_file_ends_early) {
    socket_pair e = tcp_pair();
    recording_stream s(out_, std::move(e.server));
    unique_fd file = temporary_file("short");
    EXPECT_FALSE(run(s.write_file(file.value(), 0, 100)));
    EXPECT_FALSE(s.failed());
}

TEST_P(Stream, close_with_reset_sends_an_rst) {
    socket_pair e = tcp_pair();
    recording_stream s(out_, std::move(e.server));
    s.close(true);
    run_turns();
    EXPECT_EQ(receive_available(e.client), "error " + std::to_string(ECONNRESET));
    EXPECT_FALSE(s.is_open());
    s.close();
}

TEST_P(Stream, close_discards_corked_output) {
    socket_pair e = tcp_pair();
    {
        recording_stream s(out_, std::move(e.server));
        s.write("never sent");
        s.close();
    }
    run_turns();
    EXPECT_EQ(receive_available(e.client), "");
}

TEST_P(Stream, reports_that_the_peer_closed_while_nothing_reads) {
    socket_pair e = tcp_pair();
    recording_stream s(out_, std::move(e.server));
    struct reading {
        static task<void> first(stream& from, unique_fd& client) {
            put(client, "x");
            (void)co_await from.receive();
        }
    };
    run(reading::first(s, e.client));
    ::shutdown(e.client.value(), SHUT_WR);
    run_turns(10);
    EXPECT_EQ(s.half_closes, 1);
    EXPECT_EQ(s.closes, 0);
    EXPECT_FALSE(s.failed());
    linger option{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(e.client.value(), SOL_SOCKET, SO_LINGER, &option, sizeof option);
    e.client.reset();
    run_turns(10);
    EXPECT_EQ(s.closes, 1);
    EXPECT_TRUE(s.failed());
}

TEST_P(Stream, has_unread_input_in_the_kernel) {
    socket_pair e = tcp_pair();
    recording_stream s(out_, std::move(e.server));
    EXPECT_FALSE(s.has_unread_input());
    put(e.client, "x");
    run_turns();
    EXPECT_TRUE(s.has_unread_input());
}

TEST_P(Stream, many_streams_share_one_output_buffer) {
    constexpr int count = 50;
    std::vector<socket_pair> pairs;
    std::vector<std::unique_ptr<recording_stream>> all;
    for (int i = 0; i < count; ++i) {
        pairs.push_back(tcp_pair());
        all.push_back(std::make_unique<recording_stream>(out_, std::move(pairs.back().server)));
    }
    std::string block(3000, 'x');
    for (int round = 0; round < 20; ++round)
        for (auto& s : all) s->write(block + std::to_string(round));
    std::size_t size = 0;
    for (int round = 0; round < 20; ++round) size += block.size() + std::to_string(round).size();
    for (auto& p : pairs) {
        std::string received;
        for (int i = 0; i < 1000 && received.size() < size; ++i) {
            if (std::string part = receive_available(p.client); part != "-") received += part;
            else run_turns(1);
        }
        EXPECT_EQ(received.size(), size);
        EXPECT_TRUE(received.ends_with("x19"));
    }
}

INSTANTIATE_TEST_SUITE_P(all, Stream, ::testing::Values(backend_kind::epoll, backend_kind::io_uring),
                         [](const auto& info) { return info.param == backend_kind::epoll ? "epoll" : "io_uring"; });

}  // namespace
}  // namespace rondo::net
