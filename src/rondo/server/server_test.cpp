// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/loop/loop.hpp>
#include <rondo/server/scripted_application_fixture.hpp>
#include <rondo/server/server_fixture.hpp>

namespace rondo::server {
namespace {

using namespace std::chrono_literals;
using testing::client;
using testing::get;
using testing::scripted_application;
using testing::test_server;

class Server : public ::testing::TestWithParam<backend_kind> {
protected:
    Server() {
        app_.on("/late", [](handler::request&, handler::responder& to) -> task<void> {
            co_await sleep(150ms);
            to.respond({}, "late");
        });
        app_.on("/hang", *this, [](Server& test, handler::request&, handler::responder&) -> task<void> {
            ++test.waiting_;
            try {
                co_await sleep(60s);
            } catch (const cancelled& c) {
                test.reason_ = c.reason;
                throw;
            }
        });
        app_.on("/stubborn", *this, [](Server& test, handler::request&, handler::responder&) -> task<void> {
            struct counting {
                std::atomic<int>& n;
                ~counting() { ++n; }
            } object{test.destroyed_};
            ++test.waiting_;
            co_await never_resumed{};
        });
    }

    // An awaiter that ignores cancellation.
    struct never_resumed {
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<>) const noexcept {}
        void await_resume() const noexcept {}
    };

    scripted_application app_;
    std::atomic<int> waiting_ = 0, destroyed_ = 0;
    std::atomic<cancel_reason> reason_{};
};

TEST_P(Server, drain_finishes_requests_and_closes_idle_connections) {
    test_server s(app_, GetParam());
    client idle(s);
    client fresh(s);
    client busy(s);
    ASSERT_TRUE(idle.send(get("/")));
    (void)idle.response();
    ASSERT_TRUE(busy.send("GET /late HTTP/1.1\r\nHost: a\r\n\r\n"));
    ASSERT_TRUE(s.wait_until([](server& x) { return x.server_stats().in_flight.load() == 1; }));
    auto start = std::chrono::steady_clock::now();
    s.stop(10s);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
    EXPECT_EQ(idle.receive_all(), "");
    EXPECT_EQ(idle.error(), 0);
    EXPECT_EQ(fresh.receive_all(), "");
    std::string got = busy.receive_all();
    EXPECT_TRUE(got.ends_with("\r\n\r\nlate"));
    EXPECT_NE(got.find("Connection: close\r\n"), got.npos);
    EXPECT_FALSE(client(s).connected());
}

TEST_P(Server, serves_a_request_that_arrives_as_the_drain_starts) {
    for (int i = 0; i < 20; ++i) {
        test_server s(app_, GetParam());
        client kept(s);
        client fresh(s);
        ASSERT_TRUE(kept.send(get("/")));
        (void)kept.response();
        // The loop processes both in the same turn.
        s.call_on_loop([&](server&) {
            (void)kept.send(get("/"));
            s.drain(5s);
            return 0;
        });
        ASSERT_TRUE(fresh.send(get("/")));
        EXPECT_TRUE(kept.receive_all().ends_with("ok\n"));
        EXPECT_TRUE(fresh.receive_all().ends_with("ok\n"));
    }
}

// The head of the first response has promised to keep the connection.
TEST_P(Server, serves_the_next_request_after_a_view_that_ended_during_the_drain) {
    app_.on("/lingering", [](handler::request& from, handler::responder& to) -> task<void> {
        to.respond({}, "first");
        co_await from.draining->wait();
    });
    for (int i = 0; i < 20; ++i) {
        test_server s(app_, GetParam());
        client c(s);
        ASSERT_TRUE(c.send("GET /lingering HTTP/1.1\r\nHost: a\r\n\r\n"));
        EXPECT_TRUE(c.response().ends_with("first"));
        s.drain(5s);
        ASSERT_TRUE(c.send(get("/")));
        EXPECT_TRUE(c.receive_all().ends_with("ok\n"));
    }
}

// The header time-out is ten seconds; the shutdown does not take that long.
TEST_P(Server, an_incomplete_head_does_not_delay_the_shutdown) {
    test_server s(app_, GetParam());
    client first(s);
    client second(s);
    ASSERT_TRUE(second.send(get("/")));
    (void)second.response();
    for (client* c : {&first, &second}) ASSERT_TRUE(c->send("GET / HTTP/1.1\r\nHos"));
    constexpr auto heads = static_cast<std::size_t>(stats::connection_state::head);
    ASSERT_TRUE(s.wait_until([](server& x) { return x.server_stats().connections_by_state[heads].load() == 2; }));
    const auto start = std::chrono::steady_clock::now();
    s.stop(60s);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 8s);
    for (client* c : {&first, &second}) EXPECT_TRUE(c->receive_all().starts_with("HTTP/1.1 408 "));
}

TEST_P(Server, drain_cancels_requests_after_the_grace_period) {
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send("GET /hang HTTP/1.1\r\nHost: a\r\n\r\n"));
    ASSERT_TRUE(s.wait_until([&](server&) { return waiting_ == 1; }));
    auto start = std::chrono::steady_clock::now();
    s.stop(100ms);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 900ms);
    EXPECT_EQ(reason_, cancel_reason::drain);
    EXPECT_TRUE(c.receive_all().starts_with("HTTP/1.1 503 "));
}

TEST_P(Server, closes_connections_of_views_that_ignore_cancellation) {
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send("GET /stubborn HTTP/1.1\r\nHost: a\r\n\r\n"));
    ASSERT_TRUE(s.wait_until([&](server&) { return waiting_ == 1; }));
    auto start = std::chrono::steady_clock::now();
    s.stop(0ms);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
    EXPECT_EQ(c.receive_all(), "");
    EXPECT_EQ(destroyed_, 1);
}

TEST_P(Server, serves_connections_in_the_accept_queue_before_stopping) {
    app_.on("/block", [](handler::request&, handler::responder& to) -> task<void> {
        std::this_thread::sleep_for(200ms);
        to.respond({}, "blocked");
        co_return;
    });
    test_server s(app_, GetParam());
    client blocking(s);
    ASSERT_TRUE(blocking.send("GET /block HTTP/1.1\r\nHost: a\r\n\r\n"));
    std::this_thread::sleep_for(50ms);
    std::vector<std::unique_ptr<client>> waiting;
    for (int i = 0; i < 10; ++i) {
        waiting.push_back(std::make_unique<client>(s));
        ASSERT_TRUE(waiting.back()->send(get("/")));
    }
    s.stop(5s);
    EXPECT_TRUE(blocking.receive_all().ends_with("blocked"));
    for (auto& c : waiting) EXPECT_TRUE(c->receive_all().ends_with("ok\n"));
}

TEST_P(Server, enforces_max_connections) {
    options limits;
    limits.max_connections = 3;
    test_server s(app_, GetParam(), limits);
    std::vector<std::unique_ptr<client>> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(std::make_unique<client>(s));
        ASSERT_TRUE(clients.back()->send(get("/")));
        EXPECT_TRUE(clients.back()->response().ends_with("ok\n"));
    }
    EXPECT_EQ(client(s).receive_all(), "");
    clients.pop_back();
    ASSERT_TRUE(s.wait_until([](server& x) { return x.connection_count() == 2; }));
    client replacement(s);
    ASSERT_TRUE(replacement.send(get("/")));
    EXPECT_TRUE(replacement.response().ends_with("ok\n"));
}

TEST_P(Server, counts_requests_and_connections) {
    test_server s(app_, GetParam());
    client a(s);
    client b(s);
    ASSERT_TRUE(a.send(get("/")));
    (void)a.response();
    ASSERT_TRUE(b.send("nonsense\r\n\r\n"));
    (void)b.receive_all();
    b.close();
    ASSERT_TRUE(s.wait_until([](server& x) { return x.connection_count() == 1; }));
    auto counters = s.call_on_loop([](server& x) {
        auto& f = x.server_stats();
        return std::vector<std::uint64_t>{f.requests,    f.responses, f.refused,  f.aborted,
                                          f.connections, f.accepted,  f.in_flight};
    });
    EXPECT_EQ(counters, (std::vector<std::uint64_t>{1, 1, 1, 0, 1, 2, 0}));
}

TEST_P(Server, stops_with_connections_in_every_state) {
    test_server s(app_, GetParam());
    std::vector<std::unique_ptr<client>> clients;
    for (std::string_view text :
         {"", "GET / HT", "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n", "GET /late HTTP/1.1\r\nHost: a\r\n\r\n",
          "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe", "nonsense\r\n\r\n"}) {
        clients.push_back(std::make_unique<client>(s));
        ASSERT_TRUE(clients.back()->send(text));
    }
    ASSERT_TRUE(s.wait_until([](server& x) { return x.server_stats().in_flight.load() == 3; }));
    s.stop(0ms);
    for (auto& c : clients) (void)c->receive_all();
}

// Sockets of this process that are bound to the port.
int sockets_on(std::uint16_t port) {
    int n = 0;
    for (int fd = 0; fd < 1024; ++fd) {
        sockaddr_in own{};
        socklen_t size = sizeof own;
        if (::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) != 0 || own.sin_family != AF_INET) continue;
        if (ntohs(own.sin_port) == port) ++n;
    }
    return n;
}

TEST_P(Server, a_forked_child_abandons_the_sockets) {
    test_server s(app_, GetParam());
    client idle(s);
    client busy(s);
    ASSERT_TRUE(idle.send(get("/")));
    (void)idle.response();
    ASSERT_TRUE(busy.send(get("/late")));
    ASSERT_TRUE(s.wait_until([](server& x) { return x.server_stats().in_flight.load() == 1; }));
    ASSERT_EQ(sockets_on(s.port()), 3);
    int counts[2];
    int exits[2];
    ASSERT_EQ(::pipe2(counts, O_CLOEXEC), 0);
    ASSERT_EQ(::pipe2(exits, O_CLOEXEC), 0);
    const pid_t child = s.call_on_loop([&](server& x) {
        const pid_t pid = ::fork();
        if (pid != 0) return pid;
        x.abandon_after_fork();
        int n = sockets_on(s.port());
        (void)!::write(counts[1], &n, sizeof n);
        ::close(exits[1]);
        (void)!::read(exits[0], &n, sizeof n);  // until the parent has finished the test
        ::_exit(0);
    });
    int kept = -1;
    EXPECT_EQ(::read(counts[0], &kept, sizeof kept), static_cast<ssize_t>(sizeof kept));
    EXPECT_EQ(kept, 0);
    EXPECT_TRUE(busy.response().ends_with("late"));
    ASSERT_TRUE(idle.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    EXPECT_TRUE(idle.receive_all().ends_with("ok\n")) << "the child still had the connection";
    EXPECT_EQ(idle.error(), 0);
    client fresh(s);
    ASSERT_TRUE(fresh.send(get("/")));
    EXPECT_TRUE(fresh.response().ends_with("ok\n"));
    s.stop(1s);
    EXPECT_FALSE(client(s).connected());
    for (const int fd : {counts[0], counts[1], exits[0], exits[1]}) ::close(fd);
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

INSTANTIATE_TEST_SUITE_P(all, Server, ::testing::Values(backend_kind::epoll, backend_kind::io_uring),
                         [](const auto& info) { return info.param == backend_kind::epoll ? "epoll" : "io_uring"; });

}  // namespace
}  // namespace rondo::server
