// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/notifier.hpp>

#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/coro/event.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/loop/test_loop_fixture.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/loop/wait_for.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;
using testing::test_loop;

task<void> count_up(notifier& n, int times) {
    for (int i = 0; i < times; ++i) {
        co_await sleep(1ms);
        n.notify();
    }
}

task<std::uint64_t> wait(notifier& n, std::uint64_t seen, clock::duration timeout) {
    co_return co_await n.wait_past(seen, timeout);
}

TEST(Notifier, counts) {
    notifier n(7);
    EXPECT_EQ(n.count(), 7u);
    EXPECT_EQ(n.notify(), 8u);
    n.advance_to(20);
    n.advance_to(3);
    EXPECT_EQ(n.count(), 20u);
}

TEST(Notifier, returns_at_once_when_the_count_is_already_past) {
    test_loop l;
    notifier n(5);
    EXPECT_EQ(l.run(wait(n, 4, 1h)), 5u);
}

TEST(Notifier, waits_until_the_count_is_past) {
    test_loop l;
    notifier n;
    const auto both = [](notifier& in) -> task<std::uint64_t> {
        task_group group(co_await this_context());
        group.spawn(count_up(in, 3));
        const std::uint64_t count = co_await in.wait_past(2, 1h);
        co_await group.join();
        co_return count;
    };
    EXPECT_EQ(l.run(both(n)), 3u);
}

TEST(Notifier, returns_the_old_count_after_the_timeout) {
    test_loop l;
    notifier n(5);
    const instant before = clock::now();
    EXPECT_EQ(l.run(wait(n, 5, 20ms)), 5u);
    EXPECT_GE(clock::now() - before, 20ms);
    EXPECT_EQ(n.notify(), 6u);  // no waiters: nothing is posted to the loop
}

task<void> expect_cancelled(notifier& n, bool& was_cancelled) {
    try {
        (void)co_await n.wait_past(0);
    } catch (const cancelled& c) {
        was_cancelled = c.reason == cancel_reason::disconnected;
        throw;
    }
}

TEST(Notifier, a_cancellation_ends_the_wait) {
    test_loop l;
    notifier n;
    bool was_cancelled = false;
    const auto both = [](notifier& in, bool& out) -> task<void> {
        task_group group(co_await this_context());
        group.spawn(expect_cancelled(in, out));
        group.cancel(cancel_reason::disconnected);
        co_await group.join();
    };
    l.run(both(n, was_cancelled));
    EXPECT_TRUE(was_cancelled);
    n.notify();
}

task<void> count_waiter(notifier& n, int& woken) {
    const std::uint64_t count = co_await n.wait_past(0, 1h);
    EXPECT_EQ(count, 1u);
    ++woken;
}

TEST(Notifier, another_thread_wakes_ten_thousand_waiters) {
    test_loop l;
    notifier n;
    int woken = 0;
    const auto all = [](notifier& in, int& out) -> task<void> {
        task_group group(co_await this_context());
        for (int i = 0; i < 10'000; ++i) group.spawn(count_waiter(in, out));
        std::jthread other([&in] { in.notify(); });
        co_await group.join();
    };
    l.run(all(n, woken));
    EXPECT_EQ(woken, 10'000);
}

TEST(Notifier, loses_no_wake_up_between_threads) {
    notifier n;
    constexpr std::uint64_t last = 2000;
    const auto follow = [](notifier& in) -> task<void> {
        std::uint64_t seen = 0;
        while (seen < last) {
            const std::uint64_t now = co_await in.wait_past(seen, 10s);
            EXPECT_GT(now, seen);
            if (now <= seen) break;
            seen = now;
        }
    };
    std::vector<std::jthread> threads;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&] {
            event_loop loop;
            loop.run_until(follow(n));
        });
    }
    for (std::uint64_t i = 0; i < last; ++i) {
        n.notify();
        if (i % 64 == 0) std::this_thread::yield();
    }
    threads.clear();
    EXPECT_EQ(n.count(), last);
}

TEST(Notifier, serves_one_loop_after_another) {
    notifier n;
    for (std::uint64_t i = 0; i < 3; ++i) {
        test_loop l;
        EXPECT_EQ(l.run(wait(n, i, 1ms)), i);
        n.notify();
    }
}

// Fails by a crash or a sanitizer report only.
TEST(Notifier, a_waiter_may_be_destroyed_while_waiting_and_while_being_woken) {
    test_loop l;
    notifier n;
    const auto abandon = [](notifier& in) -> task<void> {
        for (const bool woken : {false, true}) {
            task<std::uint64_t> t = wait(in, in.count(), 1h);
            t.coroutine().resume();
            if (woken) in.notify();
            {
                const task<std::uint64_t> destroyed = std::move(t);
            }
            co_await sleep(1ms);
        }
    };
    l.run(abandon(n));
    n.notify();
}

task<bool> wait_for_it(event& e, clock::duration d) { co_return co_await wait_for(e, d); }

TEST(WaitFor, returns_true_for_an_event_that_is_set) {
    test_loop l;
    event e(true);
    EXPECT_TRUE(l.run(wait_for_it(e, 1h)));
}

TEST(WaitFor, returns_false_when_the_time_has_expired) {
    test_loop l;
    event e;
    const instant before = clock::now();
    EXPECT_FALSE(l.run(wait_for_it(e, 15ms)));
    EXPECT_GE(clock::now() - before, 15ms);
    e.set();
    EXPECT_TRUE(l.run(wait_for_it(e, 0ms)));
}

task<void> set_later(event& e) {
    co_await sleep(2ms);
    e.set();
    e.reset();
}

TEST(WaitFor, returns_true_when_the_event_is_set_during_the_wait) {
    test_loop l;
    event e;
    const auto both = [](event& in) -> task<bool> {
        task_group group(co_await this_context());
        group.spawn(set_later(in));
        const bool set = co_await wait_for(in, 1h);
        co_await group.join();
        co_return set;
    };
    EXPECT_TRUE(l.run(both(e)));
}

TEST(WaitFor, throws_cancelled) {
    test_loop l;
    event e;
    EXPECT_THROW(l.run(with_timeout(2ms, wait_for_it(e, 1h))), timed_out);
    task_context over;
    over.cancel.cancel();
    EXPECT_THROW(l.run(wait_for_it(e, 1h), &over), cancelled);
}

task<void> count_timed_out(event& e, int& count) {
    const bool set = co_await wait_for(e, 20ms);
    if (!set) ++count;
}

TEST(WaitFor, ten_thousand_waits_expire_together) {
    test_loop l;
    event e;
    int count = 0;
    const auto all = [](event& in, int& out) -> task<void> {
        task_group group(co_await this_context());
        for (int i = 0; i < 10'000; ++i) group.spawn(count_timed_out(in, out));
        co_await group.join();
    };
    l.run(all(e, count));
    EXPECT_EQ(count, 10'000);
}

}  // namespace
}  // namespace rondo
