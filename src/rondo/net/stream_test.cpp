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
#include <rondo/loop/pool.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/net/output.hpp>
#include <rondo/net/stream.hpp>

namespace rondo::net {
namespace {

using namespace std::chrono_literals;

struct ends {
    unique_fd server;
    unique_fd client;
};

ends unix_pair(int type = SOCK_STREAM) {
    int fds[2];
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds)) throw std::system_error(errno, std::generic_category());
    return {unique_fd(fds[0]), unique_fd(fds[1])};
}

ends tcp_pair() {
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

// What is there now; "-" when nothing is.
std::string take(const unique_fd& fd, std::size_t most = 1 << 20) {
    std::string bytes(most, '\0');
    ssize_t n = ::recv(fd.value(), bytes.data(), most, MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN ? "-" : "error " + std::to_string(errno);
    bytes.resize(static_cast<std::size_t>(n));
    return bytes;
}

struct noted_stream final : stream {
    using stream::stream;
    void left(bool gone) noexcept override { ++(gone ? gones : half_closes); }
    int gones = 0, half_closes = 0;
};

class streams : public ::testing::TestWithParam<backend_kind> {
protected:
    streams() : loop_({GetParam()}), pool_({.name = "blocking", .threads = 2}), out_(loop_) {
        loop_.use_pools(&pool_, &pool_);
    }

    template <class T>
    T run(task<T> t) {
        return loop_.run_until(with_timeout(20s, std::move(t)));
    }
    void turns(int count = 3) {
        struct wait {
            static task<void> some(int n) {
                for (int i = 0; i < n; ++i) co_await sleep(2ms);
            }
        };
        loop_.run_until(wait::some(count));
    }

    event_loop loop_;
    thread_pool pool_;
    output out_;
};

task<void> all_done(task_group& group) { co_await group.join(); }

task<std::string> read_to_end(stream& s) {
    std::string all;
    for (;;) {
        all += s.input();
        s.consume(s.input().size());
        if (co_await s.receive() != input_event::more) break;
    }
    all += s.input();
    co_return all;
}

TEST_P(streams, input_arrives_and_ends) {
    ends e = tcp_pair();
    noted_stream s(out_, std::move(e.server));
    put(e.client, "hello");
    ::shutdown(e.client.value(), SHUT_WR);
    EXPECT_EQ(run(read_to_end(s)), "hello");
    EXPECT_TRUE(s.input_ended());
    EXPECT_FALSE(s.failed());
}

TEST_P(streams, input_not_consumed_stays) {
    ends e = tcp_pair();
    noted_stream s(out_, std::move(e.server));
    struct reading {
        static task<void> of(stream& from, unique_fd& client) {
            put(client, "one");
            EXPECT_EQ(co_await from.receive(), input_event::more);
            EXPECT_EQ(from.input(), "one");
            from.consume(1);
            co_await sleep(1ms);
            EXPECT_EQ(from.input(), "ne");
            put(client, "two");
            while (from.input().size() < 5) EXPECT_EQ(co_await from.receive(), input_event::more);
            EXPECT_EQ(from.input(), "netwo");
        }
    };
    run(reading::of(s, e.client));
}

TEST_P(streams, held_input_holds_until_the_next_receive) {
    ends e = tcp_pair();
    noted_stream s(out_, std::move(e.server));
    struct reading {
        static task<void> of(stream& from, unique_fd& client) {
            put(client, "first");
            (void)co_await from.receive();
            from.hold_input();
            std::string_view lent = from.input();
            // More comes than fits what is held, while nobody reads: what was lent stays where it is.
            put(client, std::string(30'000, 'x'));
            co_await sleep(20ms);
            EXPECT_EQ(lent, "first");
            from.consume(5);
            std::size_t got = 0;
            while (got < 30'000) {
                got += from.input().size();
                from.consume(from.input().size());
                if (got < 30'000) (void)co_await from.receive();
            }
            EXPECT_EQ(got, 30'000u);
        }
    };
    run(reading::of(s, e.client));
}

TEST_P(streams, who_does_not_read_makes_the_sender_wait) {
    ends e = tcp_pair();
    noted_stream s(out_, std::move(e.server));
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
        turns(1);
    }
    EXPECT_LE(s.input().size(), 4 * stream::unread_limit + (1u << 20));
    ::shutdown(e.client.value(), SHUT_WR);
    // Nothing is lost.
    EXPECT_EQ(run(read_to_end(s)).size(), sent + 1);
}

TEST_P(streams, what_one_turn_writes_leaves_in_one_send) {
    ends e = unix_pair(SOCK_SEQPACKET);  // keeps sends apart
    noted_stream s(out_, std::move(e.server));
    struct writing {
        static task<void> to(stream& s) {
            s.write("one ");
            s.write("two ");
            char* room = s.reserve(5);
            std::copy_n("three", 5, room);
            s.commit(5);
            EXPECT_EQ(s.corked(), 13u);
            co_return;
        }
    };
    run(writing::to(s));
    turns();
    EXPECT_EQ(take(e.client), "one two three");
    EXPECT_EQ(take(e.client), "-");
}

TEST_P(streams, a_write_by_another_stream_sends_what_is_corked) {
    ends a = unix_pair(SOCK_SEQPACKET);
    ends b = unix_pair(SOCK_SEQPACKET);
    noted_stream first(out_, std::move(a.server));
    noted_stream second(out_, std::move(b.server));
    first.write("first");
    second.write("second");
    EXPECT_EQ(first.corked(), 0u);
    EXPECT_EQ(second.corked(), 6u);
    turns();
    EXPECT_EQ(take(a.client), "first");
    EXPECT_EQ(take(b.client), "second");
}

TEST_P(streams, corked_output_can_be_taken_back) {
    ends e = unix_pair();
    noted_stream s(out_, std::move(e.server));
    s.write("keep");
    s.write("drop");
    s.drop_corked(4);
    s.write("!");
    turns();
    EXPECT_EQ(take(e.client), "keep!");
    auto flushes = s.flushes();
    s.write("gone");
    s.flush();
    EXPECT_NE(s.flushes(), flushes);
}

TEST_P(streams, much_output_arrives_whole) {
    ends e = tcp_pair();
    noted_stream s(out_, std::move(e.server));
    std::string all;
    for (int i = 0; i < 200'000; ++i) all += std::to_string(i) + ' ';
    s.write(all);
    std::string got;
    struct writing {
        static task<void> drain(stream& s, unique_fd& client, std::string& got) {
            while (s.backlog() > 0 || got.empty()) {
                std::string part = take(client);
                if (part != "-") got += part;
                co_await sleep(1ms);
            }
        }
    };
    run(writing::drain(s, e.client, got));
    for (std::string part = take(e.client); part != "-"; part = take(e.client)) got += part;
    EXPECT_EQ(got, all);
}

task<void> wait_until_drained(stream& s, std::optional<bool>& result) { result = co_await s.drained(); }

TEST_P(streams, a_slow_reader_is_waited_for) {
    ends e = tcp_pair();
    noted_stream s(out_, std::move(e.server));
    std::string block(16 << 20, 'x');
    s.write(block);
    task_group group;
    std::optional<bool> drained;
    group.spawn(wait_until_drained(s, drained));
    turns();
    EXPECT_FALSE(drained.has_value());
    EXPECT_GT(s.backlog(), stream::high_water);
    EXPECT_LT(s.bytes_taken(), block.size());
    std::size_t got = 0;
    for (int i = 0; i < 20'000 && got < block.size(); ++i) {
        std::string part = take(e.client);
        if (part != "-") got += part.size();
        turns(1);
    }
    EXPECT_EQ(got, block.size());
    EXPECT_EQ(drained, true);
    turns();
    EXPECT_EQ(s.bytes_taken(), block.size());
    run(all_done(group));
}

TEST_P(streams, what_the_kernel_holds_is_not_taken_yet) {
    ends e = tcp_pair();
    noted_stream s(out_, std::move(e.server));
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
    turns(10);
    std::uint64_t before = s.bytes_taken();
    EXPECT_FALSE(done.is_set());
    // The reader takes a little: not enough for the kernel to want more, and yet progress.
    for (int i = 0; i < 50; ++i) {
        (void)take(e.client, 8192);
        turns(1);
    }
    EXPECT_GT(s.bytes_taken(), before);
    s.interrupt();
    run(all_done(group));
}

task<void> note_reading(stream& s, std::optional<input_event>& result) { result = co_await s.receive(); }

TEST_P(streams, interrupt_wakes_reader_and_writer) {
    ends e = tcp_pair();
    noted_stream s(out_, std::move(e.server));
    s.write(std::string(16 << 20, 'x'));
    task_group group;
    std::optional<input_event> reading;
    std::optional<bool> writing;
    group.spawn(note_reading(s, reading));
    group.spawn(wait_until_drained(s, writing));
    turns();
    EXPECT_FALSE(reading || writing);
    s.interrupt();
    turns();
    EXPECT_EQ(reading, input_event::interrupted);
    EXPECT_EQ(writing, false);
    run(all_done(group));
}

// After an interrupted wait for input a last word is said, and waited for.
TEST_P(streams, an_interrupted_reader_may_go_on_as_a_writer) {
    ends e = tcp_pair();
    noted_stream s(out_, std::move(e.server));
    struct last_word {
        static task<void> by(stream& s, std::optional<bool>& sent) {
            EXPECT_EQ(co_await s.receive(), input_event::interrupted);
            s.clear_interrupt();
            s.write("farewell");
            sent = co_await s.drained();
            s.shutdown_output();
        }
    };
    std::optional<bool> sent;
    task_group group;
    group.spawn(last_word::by(s, sent));
    turns();
    s.interrupt();
    turns();
    EXPECT_EQ(sent, true);
    EXPECT_EQ(take(e.client), "farewell");
    EXPECT_EQ(take(e.client), "");
    run(all_done(group));
}

TEST_P(streams, write_all_copies_nothing_and_keeps_the_order) {
    ends e = tcp_pair();
    noted_stream s(out_, std::move(e.server));
    std::string block(300'000, 'b');
    struct writing {
        static task<bool> to(stream& s, std::string_view block) {
            s.write("head ");
            bool sent = co_await s.write_all(block);
            s.write(" tail");
            co_return sent;
        }
    };
    std::string got;
    task_group group;
    std::optional<bool> sent;
    struct note {
        static task<void> result(task<bool> t, std::optional<bool>& to) { to = co_await std::move(t); }
    };
    group.spawn(note::result(writing::to(s, block), sent));
    for (int i = 0; i < 5000 && got.size() < block.size() + 10; ++i) {
        turns(1);
        if (std::string part = take(e.client); part != "-") got += part;
    }
    EXPECT_EQ(got, "head " + block + " tail");
    EXPECT_EQ(sent, true);
    run(all_done(group));
}

unique_fd temporary_file(std::string_view content) {
    char name[] = "/tmp/rondo-net-XXXXXX";
    unique_fd file(::mkostemp(name, O_CLOEXEC));
    ::unlink(name);
    EXPECT_EQ(::write(file.value(), content.data(), content.size()), static_cast<ssize_t>(content.size()));
    return file;
}

TEST_P(streams, a_part_of_a_file) {
    ends e = tcp_pair();
    noted_stream s(out_, std::move(e.server));
    std::string content;
    for (int i = 0; i < 300'000; ++i) content += std::to_string(i % 10);
    unique_fd file = temporary_file(content);
    std::string got;
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
    for (int i = 0; i < 5000 && !got.ends_with('>'); ++i) {
        turns(1);
        if (std::string part = take(e.client); part != "-") got += part;
    }
    EXPECT_EQ(got, "<" + content.substr(5) + ">");
    EXPECT_EQ(sent, true);
    run(all_done(group));
}

TEST_P(streams, a_file_that_is_shorter_than_thought) {
    ends e = tcp_pair();
    noted_stream s(out_, std::move(e.server));
    unique_fd file = temporary_file("short");
    EXPECT_FALSE(run(s.write_file(file.value(), 0, 100)));
    EXPECT_FALSE(s.failed());
}

TEST_P(streams, a_reset_is_an_rst) {
    ends e = tcp_pair();
    noted_stream s(out_, std::move(e.server));
    s.close(true);
    turns();
    EXPECT_EQ(take(e.client), "error " + std::to_string(ECONNRESET));
    EXPECT_FALSE(s.is_open());
    s.close();
}

TEST_P(streams, a_close_drops_what_is_corked) {
    ends e = tcp_pair();
    {
        noted_stream s(out_, std::move(e.server));
        s.write("never sent");
        s.close();
    }
    turns();
    EXPECT_EQ(take(e.client), "");
}

TEST_P(streams, a_client_that_leaves_is_told_while_nobody_reads) {
    ends e = tcp_pair();
    noted_stream s(out_, std::move(e.server));
    struct reading {
        static task<void> first(stream& from, unique_fd& client) {
            put(client, "x");
            (void)co_await from.receive();
        }
    };
    run(reading::first(s, e.client));
    ::shutdown(e.client.value(), SHUT_WR);
    turns(10);
    EXPECT_EQ(s.half_closes, 1);
    EXPECT_EQ(s.gones, 0);
    EXPECT_FALSE(s.failed());
    linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(e.client.value(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    e.client.reset();
    turns(10);
    EXPECT_EQ(s.gones, 1);
    EXPECT_TRUE(s.failed());
}

TEST_P(streams, unread_input_is_known_in_the_kernel_too) {
    ends e = tcp_pair();
    noted_stream s(out_, std::move(e.server));
    EXPECT_FALSE(s.unread());
    put(e.client, "x");
    turns();
    EXPECT_TRUE(s.unread());
}

TEST_P(streams, many_at_once_over_one_output) {
    constexpr int count = 50;
    std::vector<ends> pairs;
    std::vector<std::unique_ptr<noted_stream>> all;
    for (int i = 0; i < count; ++i) {
        pairs.push_back(tcp_pair());
        all.push_back(std::make_unique<noted_stream>(out_, std::move(pairs.back().server)));
    }
    std::string block(3000, 'x');
    for (int round = 0; round < 20; ++round)
        for (auto& s : all) s->write(block + std::to_string(round));
    std::size_t size = 0;
    for (int round = 0; round < 20; ++round) size += block.size() + std::to_string(round).size();
    for (auto& p : pairs) {
        std::string got;
        for (int i = 0; i < 1000 && got.size() < size; ++i) {
            if (std::string part = take(p.client); part != "-") got += part;
            else turns(1);
        }
        EXPECT_EQ(got.size(), size);
        EXPECT_TRUE(got.ends_with("x19"));
    }
}

INSTANTIATE_TEST_SUITE_P(all, streams, ::testing::Values(backend_kind::epoll, backend_kind::io_uring),
                         [](const auto& info) { return info.param == backend_kind::epoll ? "epoll" : "io_uring"; });

}  // namespace
}  // namespace rondo::net
