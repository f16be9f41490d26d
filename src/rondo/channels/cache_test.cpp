// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/cache.hpp>

#include <atomic>
#include <chrono>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/channels/peer_discovery.hpp>
#include <rondo/channels/redis_server_fixture.hpp>
#include <rondo/coro/blocking.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

class on_every_store : public ::testing::TestWithParam<bool> {
protected:
    [[nodiscard]] bool redis() const { return GetParam(); }
    [[nodiscard]] const std::string& url() const { return url_; }

    template <class T>
    T run(task<T> t) {
        event_loop loop;
        return loop.run_until(with_timeout(long_enough, std::move(t)));
    }

private:
    std::string url_ = GetParam() ? shared_redis().url("?prefix=" + rendezvous::make_suffix()) : "memory:";
};

std::string store_name(const ::testing::TestParamInfo<bool>& which) { return which.param ? "redis" : "memory"; }
INSTANTIATE_TEST_SUITE_P(cache, on_every_store, ::testing::Values(false, true), store_name);

task<void> keep_and_forget(cache& c) {
    EXPECT_EQ(co_await c.get("a"), std::nullopt);
    co_await c.set("a", std::string("o\0ne", 4), 1h);
    EXPECT_EQ(co_await c.get("a"), std::string("o\0ne", 4));
    co_await c.set("a", "", clock::duration::max());
    EXPECT_EQ(co_await c.get("a"), "");
    EXPECT_TRUE(co_await c.remove("a"));
    EXPECT_FALSE(co_await c.remove("a"));
    EXPECT_EQ(co_await c.get("a"), std::nullopt);
    co_await c.set("short", "x", 30ms);
    while (co_await c.get("short")) co_await sleep(1ms);
}

TEST_P(on_every_store, keeps_and_forgets) {
    cache c(url());
    run(keep_and_forget(c));
    EXPECT_EQ(c.count().hits >= 2, true);
}

TEST_P(on_every_store, has_a_blocking_face) {
    cache c(url());
    c.set_sync("a", "one", 1h);
    EXPECT_EQ(c.get_sync("a"), "one");
    EXPECT_EQ(c.get_or_compute_sync("a", 1h, [] { return "two"; }), "one");
    EXPECT_EQ(c.get_or_compute_sync("b", 1h, [] { return "two"; }), "two");
    EXPECT_TRUE(c.remove_sync("a"));
    const loop_thread_mark mark;
    EXPECT_THROW((void)c.get_sync("b"), synchronous_only);
    EXPECT_THROW((void)c.get_or_compute_sync("b", 1h, [] { return "two"; }), synchronous_only);
}

TEST_P(on_every_store, refuses_what_it_cannot_keep) {
    cache c(url());
    EXPECT_THROW((void)c.get_sync(""), std::invalid_argument);
    EXPECT_THROW(c.set_sync("a", "x", 0s), std::invalid_argument);
    EXPECT_THROW(cache("nowhere"), std::invalid_argument);
}

task<std::string> slowly(int& calls, event& go) {
    ++calls;
    co_await go.wait();
    co_return "value " + std::to_string(calls);
}

task<std::string> ask(cache& c, int& calls, event& go) {
    auto compute = [&calls, &go] { return slowly(calls, go); };
    co_return co_await c.get_or_compute("key", 1h, compute);
}

task<void> set_when_computing(int& calls, int wanted, event& go) {
    while (calls < wanted) co_await sleep(1ms);
    co_await sleep(5ms);
    go.set();
}

task<void> many_at_once(cache& c) {
    int calls = 0;
    event go;
    std::vector<task<std::string>> asking;
    for (int i = 0; i < 100; ++i) asking.push_back(ask(c, calls, go));
    auto [values, _] = co_await when_all(when_all(std::move(asking)), set_when_computing(calls, 1, go));
    EXPECT_EQ(calls, 1);
    for (const std::string& value : values) EXPECT_EQ(value, "value 1");
    EXPECT_EQ(co_await c.get("key"), "value 1");
    EXPECT_EQ(c.count().computed, 1u);
    EXPECT_EQ(c.count().shared, 99u);
}

TEST_P(on_every_store, computes_once_for_all_who_ask) {
    cache c(url());
    run(many_at_once(c));
}

task<std::string> throwing(int& calls, event& go) {
    ++calls;
    co_await go.wait();
    throw std::runtime_error("no value today");
}

task<bool> fails(cache& c, int& calls, event& go) {
    auto compute = [&calls, &go] { return throwing(calls, go); };
    try {
        (void)co_await c.get_or_compute("key", 1h, compute);
    } catch (const std::runtime_error& e) {
        co_return e.what() == std::string_view("no value today");
    }
    co_return false;
}

task<void> failing(cache& c) {
    int calls = 0;
    event go;
    auto [one, other, _] =
        co_await when_all(fails(c, calls, go), fails(c, calls, go), set_when_computing(calls, 1, go));
    EXPECT_TRUE(one && other);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(co_await c.get("key"), std::nullopt);
    EXPECT_EQ(co_await ask(c, calls, go), "value 2");
}

TEST_P(on_every_store, keeps_no_failure) {
    cache c(url());
    run(failing(c));
}

// The first computes and is cancelled; so is one that waits: the others get their value all the same.
task<void> cancelled_between(cache& c) {
    int calls = 0;
    event go;
    struct shortly {
        static task<void> ask_for(cache& of, int& count, event& set, clock::duration time) {
            try {
                (void)co_await with_timeout(time, ask(of, count, set));
                ADD_FAILURE();
            } catch (const timed_out&) {
            }
        }
    };
    auto [first, second, third, fourth, _] =
        co_await when_all(shortly::ask_for(c, calls, go, 30ms), shortly::ask_for(c, calls, go, 10ms), ask(c, calls, go),
                          ask(c, calls, go), set_when_computing(calls, 2, go));
    EXPECT_EQ(third, "value 2");
    EXPECT_EQ(fourth, "value 2");
    EXPECT_EQ(calls, 2);
}

TEST_P(on_every_store, goes_on_when_who_computes_is_cancelled) {
    cache c(url());
    run(cancelled_between(c));
}

TEST_P(on_every_store, computes_once_for_all_threads) {
    cache c(url());
    std::atomic<int> calls = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            const std::string value = c.get_or_compute_sync("key", 1h, [&] {
                ++calls;
                std::this_thread::sleep_for(20ms);
                return std::string("value");
            });
            EXPECT_EQ(value, "value");
        });
    }
    threads.clear();
    EXPECT_EQ(calls, 1);
}

task<void> ask_and_give_up(cache& c, unsigned life) {
    int calls = 0;
    event never;
    try {
        co_await with_timeout(std::chrono::microseconds(life), ask(c, calls, never));
    } catch (const timed_out&) {
    }
}

task<void> cancel_at_random(cache& c) {
    std::minstd_rand random(3);
    for (int i = 0; i < 60; ++i) {
        co_await when_all(ask_and_give_up(c, random() % 3000), ask_and_give_up(c, random() % 3000),
                          ask_and_give_up(c, random() % 3000));
    }
    int calls = 0;
    event set(true);
    EXPECT_EQ(co_await ask(c, calls, set), "value 1");
}

// None of them leaves a lock behind, for which the last one would wait as long as compute_limit.
TEST_P(on_every_store, survives_cancellation_at_any_point) {
    cache c(url(), {.compute_limit = 1h});
    run(cancel_at_random(c));
}

TEST(memory_cache, drops_what_was_not_used_for_longest) {
    cache c("memory:", {.bytes = 8 * 10'000});
    c.set_sync("kept", "x", 1h);
    for (int i = 0; i < 2000; ++i) {
        c.set_sync(std::to_string(i), std::string(100, 'x'), 1h);
        EXPECT_TRUE(c.get_sync("kept"));
    }
    EXPECT_LE(c.count().bytes, 8u * 10'000u);
    EXPECT_GT(c.count().evicted, 1000u);
    EXPECT_TRUE(c.get_sync("1999"));
    EXPECT_FALSE(c.get_sync("0"));
    c.set_sync("huge", std::string(20'000, 'x'), 1h);
    EXPECT_FALSE(c.get_sync("huge"));
}

TEST(memory_cache, drops_nothing_for_what_it_has_no_room_for) {
    cache c("memory:", {.bytes = 8 * 10'000});
    for (int i = 0; i < 100; ++i) c.set_sync(std::to_string(i), "x", 1h);
    for (int i = 0; i < 100; ++i) c.set_sync("huge" + std::to_string(i), std::string(20'000, 'x'), 1h);
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(c.get_sync(std::to_string(i))) << i;
    EXPECT_EQ(c.count().evicted, 100u);
    c.set_sync("1", std::string(20'000, 'x'), 1h);
    EXPECT_FALSE(c.get_sync("1"));  // nor is the old value left
}

// Two objects are as two processes to Redis.
TEST(redis_cache, computes_once_for_all_processes) {
    const std::string url = shared_redis().url("?prefix=" + rendezvous::make_suffix());
    std::atomic<int> calls = 0;
    std::vector<std::jthread> processes;
    for (int i = 0; i < 4; ++i) {
        processes.emplace_back([&] {
            cache c(url);
            const std::string value = c.get_or_compute_sync("key", 1h, [&] {
                ++calls;
                std::this_thread::sleep_for(50ms);
                return std::string("value");
            });
            EXPECT_EQ(value, "value");
        });
    }
    processes.clear();
    EXPECT_EQ(calls, 1);
}

TEST(redis_cache, does_not_wait_for_ever_for_another_process) {
    const std::string url = shared_redis().url("?prefix=" + rendezvous::make_suffix());
    cache c(url, {.compute_limit = 200ms});
    c.set_sync("key:computing", "somebody who was killed", 1h);
    EXPECT_EQ(c.get_or_compute_sync("key", 1h, [] { return "value"; }), "value");
    EXPECT_EQ(c.get_sync("key"), "value");
}

// It fails as long as the connection is not there, at once when it was not for a while.
void until_it_is_kept(cache& c) {
    bool kept = false;
    for (int i = 0; i < 3000 && !kept; ++i) {
        try {
            c.set_sync("key", "kept", 1h);
            kept = true;
        } catch (const channels_unavailable&) {
            std::this_thread::sleep_for(10ms);
        }
    }
    EXPECT_TRUE(kept);
}

TEST(redis_cache, computes_while_redis_is_away) {
    redis_server server;
    cache c(server.url(), {.patience = 300ms});
    until_it_is_kept(c);
    server.pause();
    EXPECT_EQ(c.get_or_compute_sync("key", 1h, [] { return "made"; }), "made");
    EXPECT_THROW((void)c.get_sync("key"), channels_unavailable);
    server.go_on();
    server.kill();
    EXPECT_EQ(c.get_or_compute_sync("key", 1h, [] { return "made"; }), "made");
    EXPECT_GT(c.count().failures, 0u);
    server.start();
    until_it_is_kept(c);
}

}  // namespace
}  // namespace rondo
