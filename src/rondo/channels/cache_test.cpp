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

#include <rondo/base/random_token.hpp>
#include <rondo/channels/peer_discovery.hpp>
#include <rondo/channels/redis_server_fixture.hpp>
#include <rondo/coro/blocking_guard.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

class Cache : public ::testing::TestWithParam<bool> {
protected:
    [[nodiscard]] const std::string& url() const { return url_; }

    template <class T>
    T run(task<T> t) {
        event_loop loop;
        return loop.run_until(with_timeout(test_timeout, std::move(t)));
    }

private:
    std::string url_ = GetParam() ? shared_redis().url("?prefix=" + random_token()) : "memory:";
};

std::string store_name(const ::testing::TestParamInfo<bool>& which) { return which.param ? "redis" : "memory"; }
INSTANTIATE_TEST_SUITE_P(cache, Cache, ::testing::Values(false, true), store_name);

task<void> set_and_remove(cache& c) {
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

TEST_P(Cache, stores_removes_and_expires) {
    cache c(url());
    run(set_and_remove(c));
    EXPECT_EQ(c.stats().hits >= 2, true);
}

TEST_P(Cache, has_blocking_functions) {
    cache c(url());
    c.set_sync("a", "one", 1h);
    EXPECT_EQ(c.get_sync("a"), "one");
    EXPECT_EQ(c.get_or_compute_sync("a", 1h, [] { return "two"; }), "one");
    EXPECT_EQ(c.get_or_compute_sync("b", 1h, [] { return "two"; }), "two");
    EXPECT_TRUE(c.remove_sync("a"));
    const scoped_disallow_blocking mark;
    EXPECT_THROW((void)c.get_sync("b"), synchronous_only);
    EXPECT_THROW((void)c.get_or_compute_sync("b", 1h, [] { return "two"; }), synchronous_only);
}

TEST_P(Cache, rejects_invalid_arguments) {
    cache c(url());
    EXPECT_THROW((void)c.get_sync(""), std::invalid_argument);
    EXPECT_THROW(c.set_sync("a", "x", 0s), std::invalid_argument);
    EXPECT_THROW(cache("nowhere"), std::invalid_argument);
}

task<std::string> compute_when_released(int& calls, event& go) {
    ++calls;
    co_await go.wait();
    co_return "value " + std::to_string(calls);
}

task<std::string> get_or_compute_key(cache& c, int& calls, event& go) {
    auto compute = [&calls, &go] { return compute_when_released(calls, go); };
    co_return co_await c.get_or_compute("key", 1h, compute);
}

task<void> release_when_computing(int& calls, int expected, event& go) {
    while (calls < expected) co_await sleep(1ms);
    co_await sleep(5ms);
    go.set();
}

task<void> concurrent_callers(cache& c) {
    int calls = 0;
    event go;
    std::vector<task<std::string>> asking;
    for (int i = 0; i < 100; ++i) asking.push_back(get_or_compute_key(c, calls, go));
    auto [values, _] = co_await when_all(when_all(std::move(asking)), release_when_computing(calls, 1, go));
    EXPECT_EQ(calls, 1);
    for (const std::string& value : values) EXPECT_EQ(value, "value 1");
    EXPECT_EQ(co_await c.get("key"), "value 1");
    EXPECT_EQ(c.stats().computed, 1u);
    EXPECT_EQ(c.stats().shared, 99u);
}

TEST_P(Cache, computes_once_for_concurrent_callers) {
    cache c(url());
    run(concurrent_callers(c));
}

task<std::string> throw_when_released(int& calls, event& go) {
    ++calls;
    co_await go.wait();
    throw std::runtime_error("computation failed");
}

task<bool> computation_fails(cache& c, int& calls, event& go) {
    auto compute = [&calls, &go] { return throw_when_released(calls, go); };
    try {
        (void)co_await c.get_or_compute("key", 1h, compute);
    } catch (const std::runtime_error& e) {
        co_return e.what() == std::string_view("computation failed");
    }
    co_return false;
}

task<void> failed_computation(cache& c) {
    int calls = 0;
    event go;
    auto [one, other, _] = co_await when_all(computation_fails(c, calls, go), computation_fails(c, calls, go),
                                             release_when_computing(calls, 1, go));
    EXPECT_TRUE(one && other);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(co_await c.get("key"), std::nullopt);
    EXPECT_EQ(co_await get_or_compute_key(c, calls, go), "value 2");
}

TEST_P(Cache, does_not_store_failures) {
    cache c(url());
    run(failed_computation(c));
}

// The computing caller and a waiting one are cancelled; the others still get their value.
task<void> cancelled_callers(cache& c) {
    int calls = 0;
    event go;
    struct impatient {
        static task<void> get(cache& from, int& count, event& set, clock::duration timeout) {
            try {
                (void)co_await with_timeout(timeout, get_or_compute_key(from, count, set));
                ADD_FAILURE();
            } catch (const timed_out&) {
            }
        }
    };
    auto [first, second, third, fourth, _] = co_await when_all(
        impatient::get(c, calls, go, 30ms), impatient::get(c, calls, go, 10ms), get_or_compute_key(c, calls, go),
        get_or_compute_key(c, calls, go), release_when_computing(calls, 2, go));
    EXPECT_EQ(third, "value 2");
    EXPECT_EQ(fourth, "value 2");
    EXPECT_EQ(calls, 2);
}

TEST_P(Cache, another_caller_computes_when_the_first_is_cancelled) {
    cache c(url());
    run(cancelled_callers(c));
}

TEST_P(Cache, computes_once_for_all_threads) {
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

task<void> request_with_timeout(cache& c, unsigned timeout) {
    int calls = 0;
    event never;
    try {
        co_await with_timeout(std::chrono::microseconds(timeout), get_or_compute_key(c, calls, never));
    } catch (const timed_out&) {
    }
}

task<void> cancel_at_random(cache& c) {
    std::minstd_rand random(3);
    for (int i = 0; i < 60; ++i) {
        co_await when_all(request_with_timeout(c, random() % 3000), request_with_timeout(c, random() % 3000),
                          request_with_timeout(c, random() % 3000));
    }
    int calls = 0;
    event set(true);
    EXPECT_EQ(co_await get_or_compute_key(c, calls, set), "value 1");
}

// A leaked lock would make the last call wait for compute_limit.
TEST_P(Cache, survives_cancellation_at_any_point) {
    cache c(url(), {.compute_limit = 1h});
    run(cancel_at_random(c));
}

TEST(MemoryCache, evicts_the_least_recently_used) {
    cache c("memory:", {.max_bytes = 8 * 10'000});
    c.set_sync("kept", "x", 1h);
    for (int i = 0; i < 2000; ++i) {
        c.set_sync(std::to_string(i), std::string(100, 'x'), 1h);
        EXPECT_TRUE(c.get_sync("kept"));
    }
    EXPECT_LE(c.stats().bytes, 8u * 10'000u);
    EXPECT_GT(c.stats().evicted, 1000u);
    EXPECT_TRUE(c.get_sync("1999"));
    EXPECT_FALSE(c.get_sync("0"));
    c.set_sync("huge", std::string(20'000, 'x'), 1h);
    EXPECT_FALSE(c.get_sync("huge"));
}

TEST(MemoryCache, a_value_larger_than_the_limit_evicts_nothing) {
    cache c("memory:", {.max_bytes = 8 * 10'000});
    for (int i = 0; i < 100; ++i) c.set_sync(std::to_string(i), "x", 1h);
    for (int i = 0; i < 100; ++i) c.set_sync("huge" + std::to_string(i), std::string(20'000, 'x'), 1h);
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(c.get_sync(std::to_string(i))) << i;
    EXPECT_EQ(c.stats().evicted, 100u);
    c.set_sync("1", std::string(20'000, 'x'), 1h);
    EXPECT_FALSE(c.get_sync("1"));  // the old value is removed too
}

// To Redis, several objects are several processes.
TEST(RedisCache, computes_once_for_all_processes) {
    const std::string url = shared_redis().url("?prefix=" + random_token());
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

TEST(RedisCache, limits_the_wait_for_another_process) {
    const std::string url = shared_redis().url("?prefix=" + random_token());
    cache c(url, {.compute_limit = 200ms});
    c.set_sync("key:computing", "a killed process", 1h);
    EXPECT_EQ(c.get_or_compute_sync("key", 1h, [] { return "value"; }), "value");
    EXPECT_EQ(c.get_sync("key"), "value");
}

// Fails until Redis is connected; immediately when it has been unavailable for a while.
void set_with_retries(cache& c) {
    bool stored = false;
    for (int i = 0; i < 3000 && !stored; ++i) {
        try {
            c.set_sync("key", "stored", 1h);
            stored = true;
        } catch (const channels_unavailable&) {
            std::this_thread::sleep_for(10ms);
        }
    }
    EXPECT_TRUE(stored);
}

TEST(RedisCache, computes_while_redis_is_unavailable) {
    redis_server server;
    cache c(server.url(), {.timeout = 300ms});
    set_with_retries(c);
    server.pause();
    EXPECT_EQ(c.get_or_compute_sync("key", 1h, [] { return "computed"; }), "computed");
    EXPECT_THROW((void)c.get_sync("key"), channels_unavailable);
    server.resume();
    server.kill();
    EXPECT_EQ(c.get_or_compute_sync("key", 1h, [] { return "computed"; }), "computed");
    EXPECT_GT(c.stats().failures, 0u);
    server.start();
    set_with_retries(c);
}

}  // namespace
}  // namespace rondo
