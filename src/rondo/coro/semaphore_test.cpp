// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/semaphore.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/coro/live_objects_fixture.hpp>
#include <rondo/coro/mutex.hpp>

namespace rondo {
namespace {

using Semaphore = LiveObjects;
using Mutex = LiveObjects;

task<void> acquire_then_append(semaphore& s, std::size_t units, std::string& order, char name) {
    counted held;
    co_await s.acquire(units);
    order += name;
}

TEST_F(Semaphore, serves_in_order_and_large_requests_delay_small_ones) {
    semaphore s(2);
    std::string order;
    auto a = acquire_then_append(s, 2, order, 'a'), b = acquire_then_append(s, 3, order, 'b'),
         c = acquire_then_append(s, 1, order, 'c');
    for (auto* t : {&a, &b, &c}) start(*t);
    EXPECT_EQ(order, "a");
    s.release(2);
    EXPECT_EQ(order, "a");
    EXPECT_FALSE(s.try_acquire(1));
    s.release(1);
    EXPECT_EQ(order, "ab");
    s.release(3);
    EXPECT_EQ(order, "abc");
    EXPECT_EQ(s.available(), 2u);
    EXPECT_TRUE(s.try_acquire(2));
    EXPECT_FALSE(s.try_acquire());
}

TEST_F(Semaphore, later_waiters_resume_when_the_first_is_cancelled_or_destroyed) {
    semaphore s(1);
    std::string order;
    task_context in;
    auto a = acquire_then_append(s, 2, order, 'a'), b = acquire_then_append(s, 1, order, 'b');
    start(a, &in);
    start(b);
    EXPECT_EQ(order, "");
    in.cancel.cancel();
    EXPECT_EQ(order, "b");
    EXPECT_THROW(result(a), cancelled);

    auto c = std::make_unique<task<void>>(acquire_then_append(s, 2, order, 'c'));
    auto d = acquire_then_append(s, 1, order, 'd');
    start(*c);
    start(d);
    s.release();
    EXPECT_EQ(order, "b");
    c.reset();
    EXPECT_EQ(order, "bd");
}

TEST_F(Semaphore, the_units_of_a_coroutine_destroyed_before_it_resumes_are_released) {
    semaphore s(0);
    std::string order;
    auto a = std::make_unique<task<void>>(acquire_then_append(s, 1, order, 'a'));
    auto b = acquire_then_append(s, 1, order, 'b');
    start(*a);
    start(b);
    {
        ready_queue::batch batch;
        s.release();
        a.reset();
    }
    EXPECT_EQ(order, "b");
}

TEST_F(Semaphore, a_grant_wins_over_a_later_cancellation) {
    semaphore s(0);
    std::string order;
    task_context in;
    auto a = acquire_then_append(s, 1, order, 'a');
    start(a, &in);
    {
        ready_queue::batch batch;
        s.release();
        in.cancel.cancel();
    }
    EXPECT_EQ(order, "a");
    EXPECT_EQ(s.available(), 0u);
}

TEST_F(Semaphore, a_cancelled_context_acquires_nothing) {
    semaphore s(1);
    std::string order;
    task_context in;
    in.cancel.cancel();
    auto a = acquire_then_append(s, 1, order, 'a');
    start(a, &in);
    EXPECT_THROW(result(a), cancelled);
    EXPECT_EQ(s.available(), 1u);
}

TEST_F(Semaphore, may_be_destroyed_before_its_waiters) {
    std::string order;
    task_context in;
    std::optional<semaphore> s(0);
    auto a = acquire_then_append(*s, 1, order, 'a');
    {
        auto b = acquire_then_append(*s, 1, order, 'b');
        start(a, &in);
        start(b);
        s.reset();
    }
    in.cancel.cancel();
    EXPECT_THROW(result(a), cancelled);
}

task<void> acquire_and_release(semaphore& s, int& served) {
    co_await s.acquire();
    ++served;
    s.release();
}

TEST_F(Semaphore, ten_thousand_waiters_do_not_overflow_the_stack) {
    semaphore s(0);
    int served = 0;
    std::vector<task<void>> tasks;
    for (int i = 0; i < 10'000; ++i) {
        tasks.push_back(acquire_and_release(s, served));
        start(tasks.back());
    }
    s.release();
    EXPECT_EQ(served, 10'000);
    EXPECT_EQ(s.available(), 1u);
}

task<void> reserve_then(semaphore& s, event& e) {
    auto units = co_await s.reserve(2);
    co_await e.wait();
}

TEST_F(Semaphore, a_reservation_releases_its_units_on_cancellation_and_destruction) {
    semaphore s(2);
    event e;
    task_context in;
    auto a = reserve_then(s, e);
    start(a, &in);
    EXPECT_EQ(s.available(), 0u);
    in.cancel.cancel();
    EXPECT_EQ(s.available(), 2u);
    {
        auto b = reserve_then(s, e);
        start(b);
        EXPECT_EQ(s.available(), 0u);
    }
    EXPECT_EQ(s.available(), 2u);
}

TEST_F(Semaphore, a_reservation_is_movable) {
    semaphore s(3);
    ASSERT_TRUE(s.try_acquire(3));
    semaphore::reservation one(s, 1), two(s, 2);
    semaphore::reservation moved(std::move(one));
    EXPECT_FALSE(one);  // NOLINT(bugprone-use-after-move): checks that it is empty
    moved = std::move(two);
    EXPECT_EQ(s.available(), 1u);
    moved.release();
    moved.release();
    EXPECT_EQ(s.available(), 3u);
}

task<void> lock_then_append(mutex& m, event& e, std::string& order, char name) {
    auto guard = co_await m.lock();
    order += name;
    co_await e.wait();
    order += name;
}

TEST_F(Mutex, is_held_by_one_coroutine_at_a_time) {
    mutex m;
    event first, second;
    std::string order;
    auto a = lock_then_append(m, first, order, 'a'), b = lock_then_append(m, second, order, 'b');
    start(a);
    start(b);
    EXPECT_TRUE(m.is_locked());
    EXPECT_EQ(order, "a");
    EXPECT_FALSE(m.try_lock());
    first.set();
    EXPECT_EQ(order, "aab");
    EXPECT_TRUE(m.is_locked());
    second.set();
    EXPECT_EQ(order, "aabb");
    EXPECT_FALSE(m.is_locked());
    auto guard = m.try_lock();
    EXPECT_TRUE(guard);
}

TEST_F(Mutex, is_unlocked_by_an_exception_and_by_destruction) {
    mutex m;
    event e;
    std::string order;
    task_context in;
    auto a = std::make_unique<task<void>>(lock_then_append(m, e, order, 'a'));
    auto b = lock_then_append(m, e, order, 'b'), c = lock_then_append(m, e, order, 'c');
    start(*a);
    start(b, &in);
    start(c);
    a.reset();
    EXPECT_EQ(order, "ab");
    in.cancel.cancel();
    EXPECT_EQ(order, "abc");
}

}  // namespace
}  // namespace rondo
