// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/blocking_wait.hpp>

#include <functional>
#include <semaphore>
#include <thread>

#include <gtest/gtest.h>

namespace rondo {
namespace {

using namespace std::chrono_literals;

// Returns why a wait on a thread in a blocking scope of `in` ended; calls `then` once the thread is about to wait.
cancel_reason end_of_wait(task_context& in, const std::function<void()>& then) {
    std::binary_semaphore waiting{0};
    cancel_reason reason = cancel_reason::none;
    std::thread thread([&] {
        const blocking_scope scope(&in);
        blocking_wait wait;
        waiting.release();
        try {
            EXPECT_FALSE(wait.wait(from_now(60s)));
        } catch (const cancelled& c) {
            reason = c.reason;
        }
    });
    waiting.acquire();
    then();
    thread.join();
    return reason;
}

TEST(BlockingWait, ends_when_completed) {
    blocking_wait wait;
    std::thread other([&wait] { wait.complete(); });
    EXPECT_TRUE(wait.wait());
    other.join();
}

TEST(BlockingWait, ends_when_the_context_is_cancelled_on_its_own_thread) {
    task_context in;
    EXPECT_EQ(end_of_wait(in, [&in] { in.cancel.cancel(cancel_reason::disconnected); }), cancel_reason::disconnected);
}

TEST(BlockingWait, ends_when_a_cancellation_is_requested_by_another_thread) {
    task_context in;
    EXPECT_EQ(end_of_wait(in, [&in] { in.cancel.request(cancel_reason::drain); }), cancel_reason::drain);
}

TEST(BlockingWait, ends_at_the_deadline_of_the_context) {
    task_context in;
    in.deadline = from_now(5ms);
    EXPECT_EQ(end_of_wait(in, [] {}), cancel_reason::deadline);
}

TEST(BlockingWait, throws_at_once_in_a_cancelled_context) {
    task_context in;
    in.cancel.cancel(cancel_reason::requested);
    const blocking_scope scope(&in);
    blocking_wait wait;
    EXPECT_THROW(wait.check(), cancelled);
    EXPECT_THROW((void)wait.wait(from_now(60s)), cancelled);
    wait.complete();
    EXPECT_TRUE(wait.wait()) << "a completed wait returns despite the cancellation";
}

TEST(BlockingWait, has_a_timeout_of_its_own) {
    task_context in;
    in.deadline = from_now(60s);
    const blocking_scope scope(&in);
    blocking_wait wait;
    EXPECT_FALSE(wait.wait(from_now(1ms)));
}

TEST(BlockingWait, has_the_limits_of_all_enclosing_scopes) {
    task_context outer, inner;
    outer.deadline = from_now(60s);
    inner.deadline = from_now(600s);
    const blocking_scope first(&outer);
    const blocking_scope second(&inner);
    blocking_wait wait;
    EXPECT_EQ(wait.deadline(), outer.deadline);
    std::thread other([&outer] { outer.cancel.request(cancel_reason::disconnected); });
    EXPECT_THROW((void)wait.wait(), cancelled);
    other.join();
}

TEST(BlockingWait, has_no_limits_in_a_scope_without_a_context) {
    task_context in;
    in.cancel.cancel();
    const blocking_scope scope(&in);
    {
        const blocking_scope unlimited(nullptr);
        blocking_wait wait;
        EXPECT_EQ(wait.deadline(), instant::max());
        wait.check();
        EXPECT_FALSE(wait.wait(from_now(1ms)));
    }
    EXPECT_THROW(blocking_wait().check(), cancelled);
}

TEST(BlockingWait, notices_a_cancellation_at_any_moment) {
    for (int i = 0; i < 2000; ++i) {
        task_context in;
        std::thread thread([&in] {
            const blocking_scope scope(&in);
            blocking_wait wait;
            EXPECT_THROW((void)wait.wait(), cancelled);
        });
        if (i % 2 == 0) std::this_thread::yield();
        in.cancel.cancel();
        thread.join();
    }
}

}  // namespace
}  // namespace rondo
