// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/background.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/loop/thread_pool.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/web/app.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

struct AppFixture : ::testing::Test {
    event_loop loop;
    thread_pool pool{{.name = "blocking"}};
    app application;

    AppFixture() { loop.use_pools(&pool, nullptr); }
    void start() { loop.run_until(application.startup()); }
    void stop(clock::duration grace = 20s) {
        application.set_background_deadline(from_now(grace));
        loop.run_until(application.shutdown());
    }
};
using BackgroundGroup = AppFixture;
using RunInWorker = AppFixture;
using Every = AppFixture;

task<void> wait_and_count(std::atomic<int>& count, clock::duration time) {
    co_await sleep(time);
    ++count;
}

task<void> fail() {
    co_await sleep(0s);
    throw std::runtime_error("the mail server is down");
}

task<void> wait_forever(cancel_reason& reason) {
    try {
        co_await sleep(24h);
    } catch (const cancelled& c) {
        reason = c.reason;
        throw;
    }
}

TEST_F(BackgroundGroup, shutdown_waits_for_tasks) {
    start();
    std::atomic<int> done = 0;
    background_group& mail = application.background("mail");
    for (int i = 0; i < 3; ++i) mail.spawn(wait_and_count(done, 20ms));
    EXPECT_EQ(mail.size(), 3u);
    stop();
    EXPECT_EQ(done, 3);
    EXPECT_EQ(mail.size(), 0u);
    EXPECT_THROW(mail.spawn(fail()), std::logic_error);
}

task<void> chain(background_group& in, std::atomic<int>& count, int left) {
    co_await sleep(1ms);
    ++count;
    if (left > 0) in.spawn(chain(in, count, left - 1));
}

TEST_F(BackgroundGroup, tasks_may_spawn_others_during_shutdown) {
    start();
    std::atomic<int> done = 0;
    background_group& mail = application.background("mail");
    mail.spawn(chain(mail, done, 9));
    stop();
    EXPECT_EQ(done, 10);
}

TEST_F(BackgroundGroup, slow_tasks_are_cancelled) {
    start();
    cancel_reason reason = cancel_reason::none;
    application.background("slow").spawn(wait_forever(reason));
    stop(30ms);
    EXPECT_EQ(reason, cancel_reason::drain);
}

TEST_F(BackgroundGroup, a_failure_is_counted_and_does_not_affect_others) {
    start();
    std::atomic<int> done = 0;
    background_group& mail = application.background("mail");
    mail.spawn(fail());
    mail.spawn(wait_and_count(done, 5ms));
    stop();
    EXPECT_EQ(done, 1);
    EXPECT_EQ(mail.failed(), 1u);
}

TEST_F(BackgroundGroup, is_bounded) {
    start();
    std::atomic<int> done = 0;
    background_group& mail = application.background("mail", {.limit = 2});
    mail.spawn(wait_and_count(done, 5ms));
    mail.spawn(wait_and_count(done, 5ms));
    EXPECT_THROW(mail.spawn(wait_and_count(done, 5ms)), background_full);
    EXPECT_EQ(&application.background("mail"), &mail);
    stop();
    EXPECT_EQ(done, 2);
}

TEST_F(BackgroundGroup, spawns_from_any_thread) {
    start();
    std::atomic<int> done = 0;
    std::vector<std::jthread> threads;
    std::atomic<int> spawned = 0;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 100; ++i) application.background("mail").spawn(wait_and_count(done, 1ms));
            ++spawned;
        });
    }
    struct until {
        static task<void> all_spawned(std::atomic<int>& count) {
            while (count < 4) co_await sleep(1ms);
        }
    };
    loop.run_until(until::all_spawned(spawned));
    stop();
    EXPECT_EQ(done, 400);
}

TEST_F(BackgroundGroup, requires_a_running_application) {
    EXPECT_THROW(application.background("mail").spawn(fail()), std::logic_error);
}

task<void> fail_twice(int& calls, bool& cancelled_at_end) {
    if (++calls < 3) throw std::runtime_error("not yet");
    try {
        co_await sleep(24h);
    } catch (const cancelled& c) {
        cancelled_at_end = c.reason == cancel_reason::drain;
        throw;
    }
}

TEST_F(RunInWorker, restarts_after_a_failure_and_is_cancelled_at_shutdown) {
    int calls = 0;
    bool cancelled_at_end = false;
    application.run_in_worker("listener", [&] { return fail_twice(calls, cancelled_at_end); });
    start();
    struct until {
        static task<void> third(int& count) {
            while (count < 3) co_await sleep(1ms);
        }
    };
    loop.run_until(with_timeout(20s, until::third(calls)));
    stop();
    EXPECT_TRUE(cancelled_at_end);
    EXPECT_EQ(calls, 3);
}

TEST_F(Every, runs_periodically_in_the_leader) {
    std::atomic<int> on_loop = 0;
    std::atomic<int> on_pool = 0;
    std::atomic<int> elsewhere = 0;
    int checks = 0;
    application.every(1ms, "on the loop", [&] { return wait_and_count(on_loop, 1ms); });
    application.every(1ms, "on the pool", [&] {
        ++on_pool;
        throw std::runtime_error("this run fails");
    });
    application.every(1ms, "elsewhere", [&] { ++elsewhere; });
    application.set_leader_check([&checks](std::string_view name) {
        ++checks;
        return name != "elsewhere";
    });
    start();
    struct until {
        static task<void> three_times(std::atomic<int>& a, std::atomic<int>& b) {
            while (a < 3 || b < 3) co_await sleep(1ms);
        }
    };
    loop.run_until(with_timeout(20s, until::three_times(on_loop, on_pool)));
    stop();
    EXPECT_EQ(elsewhere, 0);
    EXPECT_GE(checks, 9);
    EXPECT_THROW(app().every(0s, "never", [] {}), std::invalid_argument);
}

}  // namespace
}  // namespace rondo
