// SPDX-License-Identifier: Apache-2.0
#include <rondo/net/connect.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rondo/coro/task_group.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/loop/backends_fixture.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/net/listen.hpp>
#include <rondo/net/port_fixture.hpp>
#include <rondo/net/resolver.hpp>

namespace rondo::net {
namespace {

using namespace std::chrono_literals;
using testing::port_of;

listening_socket listen_at(const std::string& address, int backlog = 16) {
    return std::move(listen(bind_address::parse(address), {.backlog = backlog}).at(0));
}

endpoint loopback(std::uint16_t port, const std::string& host = "127.0.0.1") { return *endpoint::numeric(host, port); }

class Connect : public ::testing::TestWithParam<backend_kind> {
public:
    Connect() : loop_({GetParam()}) {}

protected:
    unique_fd run_connect(std::vector<endpoint> to, instant deadline = instant::max()) {
        return loop_.run_until(connect(std::move(to), deadline));
    }
    event_loop loop_;
};

TEST_P(Connect, returns_a_configured_socket) {
    auto at = listen_at("127.0.0.1:0");
    const unique_fd fd = run_connect({loopback(port_of(at))});
    ASSERT_TRUE(fd);
    EXPECT_TRUE(fcntl(fd.value(), F_GETFL) & O_NONBLOCK);
    EXPECT_TRUE(fcntl(fd.value(), F_GETFD) & FD_CLOEXEC);
    EXPECT_EQ(peer_of(fd.value()).port, port_of(at));
}

TEST_P(Connect, tries_the_next_address_after_a_refusal) {
    std::uint16_t closed = 0;
    {
        closed = port_of(listen_at("127.0.0.1:0"));
    }
    auto at = listen_at("127.0.0.1:0");
    EXPECT_EQ(peer_of(run_connect({loopback(closed), loopback(closed), loopback(port_of(at))}).value()).port,
              port_of(at));
    try {
        (void)run_connect({loopback(closed), loopback(closed, "127.0.0.2")});
        FAIL();
    } catch (const connect_error& e) {
        EXPECT_EQ(e.code().value(), ECONNREFUSED);
        const std::string text = e.what();
        EXPECT_NE(text.find("127.0.0.1:"), text.npos) << text;
        EXPECT_NE(text.find("127.0.0.2:"), text.npos) << text;
    }
    EXPECT_THROW((void)run_connect({}), connect_error);
}

// A listener with a full backlog is unresponsive: the kernel drops further SYNs.
struct unresponsive_address {
    unresponsive_address() : listener(listen_at("127.0.0.1:0", 0)) {
        for (int i = 0; i < 4; ++i) {
            fillers.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            const endpoint to = loopback(port_of(listener));
            (void)::connect(fillers.back().value(), static_cast<const sockaddr*>(to.address()),
                            static_cast<socklen_t>(to.size()));
        }
    }
    listening_socket listener;
    std::vector<unique_fd> fillers;
};

TEST_P(Connect, tries_the_next_address_while_one_is_unresponsive) {
    unresponsive_address silent;
    auto at = listen_at("127.0.0.1:0");
    const instant start = clock::now();
    EXPECT_EQ(peer_of(run_connect({loopback(port_of(silent.listener)), loopback(port_of(at))}).value()).port,
              port_of(at));
    EXPECT_GE(clock::now() - start, connection_attempt_delay);
}

TEST_P(Connect, times_out_and_can_be_cancelled) {
    unresponsive_address silent;
    EXPECT_THROW((void)run_connect({loopback(port_of(silent.listener))}, from_now(20ms)), timed_out);
    task_context in;
    const auto cancels = [](task_context& c) -> task<void> {
        co_await event_loop::current().sleep(5ms);
        c.cancel.cancel();
    };
    bool was_cancelled = false;
    const auto waits = [](endpoint to, bool& ended) -> task<void> {
        std::vector<endpoint> all{to, to};
        try {
            (void)co_await connect(std::move(all));
        } catch (const cancelled&) {
            ended = true;
        }
    };
    loop_.run_until([](task<void> a, task<void> b, task_context& c) -> task<void> {
        task_group group;
        group.spawn(std::move(a), c);
        group.spawn(std::move(b));
        co_await group.join();
    }(waits(loopback(port_of(silent.listener)), was_cancelled), cancels(in), in));
    EXPECT_TRUE(was_cancelled);
}

TEST_P(Connect, retries_a_unix_socket_with_a_full_backlog) {
    const std::string path = ::testing::TempDir() + "connect_test_" + std::to_string(::getpid());
    auto at = listen_at("unix:" + path, 0);
    const unique_fd first = run_connect({endpoint::unix_path(path)});
    EXPECT_THROW((void)run_connect({endpoint::unix_path(path)}, from_now(20ms)), timed_out);
    loop_.run_until([](int listener, std::string p) -> task<void> {
        const auto accepts = [](int fd) -> task<void> {
            co_await event_loop::current().sleep(10ms);
            const unique_fd accepted(::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC));
            EXPECT_TRUE(accepted);
        };
        std::vector<endpoint> to{endpoint::unix_path(p)};
        auto [fd, nothing] = co_await when_all(connect(to), accepts(listener));
        EXPECT_TRUE(fd);
    }(at.fd.value(), path));
    ::unlink(path.c_str());
    EXPECT_THROW((void)run_connect({endpoint::unix_path(path)}), connect_error);
}

INSTANTIATE_TEST_SUITE_P(backends, Connect, ::testing::ValuesIn(testing::available_backends()), testing::backend_name);

TEST(Endpoint, formats_as_text) {
    EXPECT_EQ(loopback(80).text(), "127.0.0.1:80");
    EXPECT_EQ(endpoint::numeric("::1", 81)->text(), "[::1]:81");
    EXPECT_EQ(endpoint::unix_path("/a/b").text(), "unix:/a/b");
    EXPECT_FALSE(endpoint::numeric("localhost", 1));
    EXPECT_FALSE(endpoint::numeric("", 1));
    EXPECT_THROW((void)endpoint::unix_path(std::string(200, 'x')), std::invalid_argument);
}

std::atomic<int> lookup_count = 0;
std::atomic<int> running_lookups = 0;
std::atomic<bool> block_all = false;
std::atomic<bool> block_silent = false;  // only names that begin with "silent"

std::vector<endpoint> fake_lookup(const std::string& host) {
    struct counted {
        counted() { ++running_lookups; }
        ~counted() { --running_lookups; }
    } const here;
    ++lookup_count;
    while (block_all || (host.starts_with("silent") && block_silent)) std::this_thread::sleep_for(1ms);
    if (host == "none") return {};
    if (host == "fails") throw resolve_error("the name 'fails' cannot be resolved");
    return {loopback(0, "10.0.0.1"), loopback(0, "10.0.0.2"), loopback(0, "::1"), loopback(0, "::2")};
}

class Resolver : public ::testing::Test {
public:
    Resolver() : pool_({.name = "blocking", .threads = 2}) {
        loop_.use_pools(&pool_, nullptr);
        lookup_count = 0;
        block_all = block_silent = false;
    }
    // Lookups outlive their resolvers; wait for them so that none runs during the next test.
    ~Resolver() override {
        block_all = block_silent = false;
        while (running_lookups > 0) std::this_thread::yield();
    }

protected:
    event_loop loop_;
    thread_pool pool_;
};

TEST_F(Resolver, alternates_families_and_caches_answers) {
    resolver names(loop_, {.lookup = fake_lookup});
    for (int i = 0; i < 3; ++i) {
        const auto found = loop_.run_until(names.resolve("some", 80));
        ASSERT_EQ(found.size(), 4u);
        EXPECT_EQ(found[0].text(), "10.0.0.1:80");
        EXPECT_EQ(found[1].text(), "[::1]:80");
        EXPECT_EQ(found[3].text(), "[::2]:80");
    }
    EXPECT_EQ(lookup_count, 1);
    EXPECT_EQ(loop_.run_until(names.resolve("127.0.0.1", 7)).at(0).text(), "127.0.0.1:7");
    EXPECT_EQ(lookup_count, 1);
}

TEST(ResolverWithoutPool, resolves_on_the_calling_thread) {
    event_loop loop;
    resolver names(loop);
    EXPECT_FALSE(loop.run_until(names.resolve("localhost", 80)).empty());
    EXPECT_THROW((void)loop.run_until(names.resolve("name.invalid", 80)), resolve_error);
}

TEST_F(Resolver, answers_expire) {
    resolver names(loop_, {.ttl = 1ms, .lookup = fake_lookup});
    (void)loop_.run_until(names.resolve("some", 80));
    loop_.run_until([](event_loop& l) -> task<void> { co_await l.sleep(3ms); }(loop_));
    (void)loop_.run_until(names.resolve("some", 80));
    EXPECT_EQ(lookup_count, 2);
}

TEST_F(Resolver, reports_failures) {
    resolver names(loop_, {.lookup = fake_lookup});
    EXPECT_THROW((void)loop_.run_until(names.resolve("fails", 80)), resolve_error);
    EXPECT_THROW((void)loop_.run_until(names.resolve("none", 80)), resolve_error);
    resolver system(loop_);
    EXPECT_THROW((void)loop_.run_until(system.resolve("name.invalid", 80)), resolve_error);
    EXPECT_FALSE(loop_.run_until(system.resolve("localhost", 80)).empty());
}

TEST_F(Resolver, shares_one_lookup_between_waiters_that_may_time_out) {
    resolver names(loop_, {.lookup = fake_lookup});
    block_all = true;
    loop_.run_until([](resolver& r) -> task<void> {
        bool late = false;
        try {
            (void)co_await r.resolve("some", 1, from_now(10ms));
        } catch (const timed_out&) {
            late = true;
        }
        EXPECT_TRUE(late);
        const auto releases = []() -> task<void> {
            co_await event_loop::current().sleep(5ms);
            block_all = false;
        };
        auto [a, b, nothing] = co_await when_all(r.resolve("some", 1), r.resolve("some", 2), releases());
        EXPECT_EQ(a.size(), 4u);
        EXPECT_EQ(b.at(0).text(), "10.0.0.1:2");
    }(names));
    EXPECT_EQ(lookup_count, 1);
}

task<std::string> lookup_failure(task<std::vector<endpoint>> lookup) {
    try {
        (void)co_await std::move(lookup);
    } catch (const timed_out&) {
        co_return "late";
    } catch (const resolve_error& e) {
        co_return e.what();
    }
    co_return "";
}

// With a name server that never answers, getaddrinfo() blocks for half a minute.
TEST_F(Resolver, abandoned_unresponsive_lookups_do_not_delay_others) {
    resolver names(loop_, {.max_concurrent_lookups = 6, .lookup = fake_lookup});
    block_silent = true;
    loop_.run_until([](resolver& r) -> task<void> {
        for (const char* name : {"silent1", "silent2", "silent3", "silent4", "silent5"})
            EXPECT_EQ(co_await lookup_failure(r.resolve(name, 1, from_now(5ms))), "late");
        EXPECT_EQ((co_await r.resolve("some", 1)).size(), 4u);
        // A repeated request joins the running lookup.
        EXPECT_EQ(co_await lookup_failure(r.resolve("silent1", 1, from_now(5ms))), "late");
        EXPECT_EQ(lookup_count, 6);
        block_silent = false;
        EXPECT_EQ((co_await r.resolve("silent2", 1)).size(), 4u);
        EXPECT_EQ(lookup_count, 6);
    }(names));
}

TEST_F(Resolver, unresponsive_lookups_do_not_delay_others) {
    resolver names(loop_, {.lookup = fake_lookup});
    block_silent = true;
    loop_.run_until([](resolver& r) -> task<void> {
        std::vector<task<std::string>> silent;
        for (int i = 0; i < 200; ++i)
            silent.push_back(lookup_failure(r.resolve("silent" + std::to_string(i), 1, from_now(i % 2 ? 5ms : 1min))));
        const auto asks_and_releases = [&r]() -> task<void> {
            co_await event_loop::current().sleep(20ms);  // half of them have timed out
            EXPECT_EQ(co_await lookup_failure(r.resolve("some", 1, from_now(5s))), "");
            block_silent = false;
        };
        const auto [failures, nothing] = co_await when_all(when_all(std::move(silent)), asks_and_releases());
        for (std::size_t i = 0; i < failures.size(); ++i) EXPECT_EQ(failures[i], i % 2 ? "late" : "") << i;
    }(names));
}

TEST_F(Resolver, fails_when_no_thread_becomes_free) {
    resolver names(loop_, {.max_concurrent_lookups = 2, .queue_timeout = 20ms, .lookup = fake_lookup});
    block_silent = true;
    loop_.run_until([](resolver& r) -> task<void> {
        const auto asks_and_releases = [&r]() -> task<void> {
            EXPECT_EQ(co_await lookup_failure(r.resolve("silent2", 1, from_now(5ms))), "late");
            auto [some, other] = co_await when_all(lookup_failure(r.resolve("some", 1, from_now(5s))),
                                                   lookup_failure(r.resolve("other", 1, from_now(5s))));
            EXPECT_EQ(some,
                      "the name 'some' cannot be resolved: 2 other lookups have not completed yet; try again later");
            EXPECT_TRUE(other.starts_with("the name 'other' cannot be resolved: 2 other lookups have not completed"))
                << other;
            EXPECT_EQ(lookup_count, 2);
            block_silent = false;
            EXPECT_EQ((co_await r.resolve("silent2", 1)).size(), 4u);
            EXPECT_EQ((co_await r.resolve("some", 1)).size(), 4u);  // the failure is not cached
        };
        const auto [silent, nothing] = co_await when_all(r.resolve("silent1", 1), asks_and_releases());
        EXPECT_EQ(silent.size(), 4u);
    }(names));
}

TEST_F(Resolver, a_queued_lookup_stays_while_a_waiter_remains) {
    resolver names(loop_, {.max_concurrent_lookups = 1, .lookup = fake_lookup});
    block_silent = true;
    loop_.run_until([](resolver& r) -> task<void> {
        const auto leaves_and_releases = [&r]() -> task<void> {
            EXPECT_EQ(co_await lookup_failure(r.resolve("silent", 1, from_now(5ms))), "late");
            EXPECT_EQ(co_await lookup_failure(r.resolve("other", 1, from_now(5ms))), "late");
            EXPECT_EQ(lookup_count, 1);
            block_silent = false;
        };
        co_await when_all(r.resolve("silent", 1), leaves_and_releases());
        EXPECT_EQ((co_await r.resolve("other", 1)).size(), 4u);  // it left the queue and is queued again
    }(names));
}

TEST_F(Resolver, bounds_abandoned_lookups) {
    resolver names(loop_, {.max_concurrent_lookups = 2, .lookup = fake_lookup});
    block_silent = true;
    loop_.run_until([](resolver& r) -> task<void> {
        for (const char* name : {"silent1", "silent2", "silent3", "some"})
            EXPECT_EQ(co_await lookup_failure(r.resolve(name, 1, from_now(10ms))), "late");
        EXPECT_EQ(lookup_count, 2);
        block_silent = false;
        EXPECT_EQ((co_await r.resolve("some", 1)).size(), 4u);
        EXPECT_EQ((co_await r.resolve("silent3", 1)).size(), 4u);
    }(names));
}

TEST_F(Resolver, does_not_evict_running_lookups) {
    resolver names(loop_, {.max_entries = 1, .lookup = fake_lookup});
    block_silent = true;
    loop_.run_until([](resolver& r) -> task<void> {
        for (const char* name : {"silent", "some", "other", "silent"})
            co_await lookup_failure(r.resolve(name, 1, from_now(name[1] == 'i' ? 5ms : 5s)));
        EXPECT_EQ(lookup_count, 3);
        block_silent = false;
    }(names));
}

TEST_F(Resolver, destruction_fails_pending_lookups) {
    block_all = true;
    auto names = std::make_unique<resolver>(loop_, resolver_options{.lookup = fake_lookup});
    const auto ends = [&names]() -> task<void> {
        while (lookup_count == 0) co_await event_loop::current().sleep(1ms);
        names.reset();
    };
    auto [failure, nothing] = loop_.run_until(when_all(lookup_failure(names->resolve("some", 1)), ends()));
    EXPECT_EQ(failure, "the name 'some' cannot be resolved: the resolver was destroyed");
}

TEST_F(Resolver, does_not_occupy_the_blocking_pool) {
    resolver names(loop_, {.lookup = fake_lookup});
    block_silent = true;
    loop_.run_until([](resolver& r) -> task<void> {
        const auto works_and_releases = []() -> task<void> {
            while (lookup_count < 3) co_await event_loop::current().sleep(1ms);
            co_await run_blocking([] {});
            block_silent = false;
        };
        co_await when_all(r.resolve("silent1", 1), r.resolve("silent2", 1), r.resolve("silent3", 1),
                          works_and_releases());
    }(names));
}

TEST_F(Resolver, may_be_destroyed_while_a_lookup_runs) {
    block_all = true;
    {
        resolver names(loop_, {.lookup = fake_lookup});
        EXPECT_THROW((void)loop_.run_until(names.resolve("some", 1, from_now(5ms))), timed_out);
        EXPECT_THROW((void)loop_.run_until(names.resolve("other", 1, from_now(5ms))), timed_out);
        while (lookup_count < 2) std::this_thread::yield();
    }
    EXPECT_EQ(running_lookups, 2);
}

TEST_F(Resolver, bounds_concurrent_lookups) {
    resolver names(loop_, {.max_concurrent_lookups = 1, .lookup = fake_lookup});
    block_all = true;
    loop_.run_until([](resolver& r) -> task<void> {
        const auto releases = []() -> task<void> {
            while (lookup_count == 0) co_await event_loop::current().sleep(1ms);
            co_await event_loop::current().sleep(5ms);
            EXPECT_EQ(lookup_count, 1);
            block_all = false;
        };
        co_await when_all(r.resolve("a", 1), r.resolve("b", 1), r.resolve("c", 1), releases());
    }(names));
    EXPECT_EQ(lookup_count, 3);
}

}  // namespace
}  // namespace rondo::net
