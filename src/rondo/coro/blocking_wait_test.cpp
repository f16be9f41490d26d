// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/blocking_wait.hpp>

#include <functional>
#include <semaphore>
#include <thread>

#include <gtest/gtest.h>

namespace rondo {
namespace {

using namespace std::chrono_literals;

// Why a wait on a thread that works for `in` ended, when `then` is done as soon as it waits.
cancel_reason end_of_wait(context& in, const std::function<void()>& then) {
    std::binary_semaphore waits{0};
    cancel_reason why = cancel_reason::none;
    std::thread thread([&] {
        const works_for whom(&in);
        blocking_wait wait;
        waits.release();
        try {
            EXPECT_FALSE(wait.wait(from_now(60s)));
        } catch (const cancelled& c) {
            why = c.reason;
        }
    });
    waits.acquire();
    then();
    thread.join();
    return why;
}

TEST(blocking_wait, ends_when_it_is_done) {
    blocking_wait wait;
    std::thread other([&wait] { wait.done(); });
    EXPECT_TRUE(wait.wait());
    other.join();
}

TEST(blocking_wait, ends_when_the_context_is_cancelled_on_its_own_thread) {
    context in;
    EXPECT_EQ(end_of_wait(in, [&in] { in.cancel.cancel(cancel_reason::disconnected); }), cancel_reason::disconnected);
}

TEST(blocking_wait, ends_when_a_cancellation_is_announced) {
    context in;
    EXPECT_EQ(end_of_wait(in, [&in] { in.cancel.announce(cancel_reason::drain); }), cancel_reason::drain);
}

TEST(blocking_wait, ends_at_the_deadline_of_the_context) {
    context in;
    in.deadline = from_now(5ms);
    EXPECT_EQ(end_of_wait(in, [] {}), cancel_reason::deadline);
}

TEST(blocking_wait, does_not_begin_when_it_is_over) {
    context in;
    in.cancel.cancel(cancel_reason::requested);
    const works_for whom(&in);
    blocking_wait wait;
    EXPECT_THROW(wait.check(), cancelled);
    EXPECT_THROW((void)wait.wait(from_now(60s)), cancelled);
    wait.done();
    EXPECT_TRUE(wait.wait()) << "what is there is taken";
}

TEST(blocking_wait, has_a_limit_of_its_own) {
    context in;
    in.deadline = from_now(60s);
    const works_for whom(&in);
    blocking_wait wait;
    EXPECT_FALSE(wait.wait(from_now(1ms)));
}

TEST(blocking_wait, has_the_bounds_of_all_it_is_nested_in) {
    context outer, inner;
    outer.deadline = from_now(60s);
    inner.deadline = from_now(600s);
    const works_for first(&outer);
    const works_for second(&inner);
    blocking_wait wait;
    EXPECT_EQ(wait.deadline(), outer.deadline);
    std::thread other([&outer] { outer.cancel.announce(cancel_reason::disconnected); });
    EXPECT_THROW((void)wait.wait(), cancelled);
    other.join();
}

TEST(blocking_wait, for_nobody_has_no_bounds) {
    context in;
    in.cancel.cancel();
    const works_for whom(&in);
    {
        const works_for nobody(nullptr);
        blocking_wait wait;
        EXPECT_EQ(wait.deadline(), instant::max());
        wait.check();
        EXPECT_FALSE(wait.wait(from_now(1ms)));
    }
    EXPECT_THROW(blocking_wait().check(), cancelled);
}

TEST(blocking_wait, a_cancellation_at_any_moment_is_seen) {
    for (int i = 0; i < 2000; ++i) {
        context in;
        std::thread thread([&in] {
            const works_for whom(&in);
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
