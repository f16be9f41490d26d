// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/sync_wait.hpp>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/base/frame_memory.hpp>
#include <rondo/coro/blocking_guard.hpp>
#include <rondo/coro/live_objects_fixture.hpp>
#include <rondo/coro/queue.hpp>
#include <rondo/coro/when_all.hpp>

namespace rondo {
namespace {

using SyncWait = LiveObjects;

TEST_F(SyncWait, returns_the_result_or_rethrows_the_exception) {
    EXPECT_EQ(sync_wait(ready_task(3)), 3);
    EXPECT_THROW(sync_wait(fail("no")), std::runtime_error);
    event e(true);
    sync_wait(await_event(e));
}

task<int> set_both() {
    event first, second;
    auto [one, nothing, two, none] = co_await when_all(value_after_event(first, 1), set_event(first),
                                                       value_after_event(second, 2), set_event(second));
    co_return one + two;
}

TEST_F(SyncWait, runs_coroutines_that_become_ready) { EXPECT_EQ(sync_wait(set_both()), 3); }

task<void> await_uncounted(event& e) { co_await e.wait(); }

TEST_F(SyncWait, runs_the_task_in_the_given_context) {
    task_context in;
    in.cancel.cancel(cancel_reason::deadline);
    event e;
    EXPECT_THROW(sync_wait(await_uncounted(e), &in), cancelled);
}

/// Resumes the awaiting coroutine on a new thread.
class on_new_thread {
public:
    explicit on_new_thread(std::jthread& thread) : thread_(thread) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) {
        thread_ = std::jthread([awaiting] { awaiting.resume(); });
    }
    void await_resume() const noexcept {}

private:
    std::jthread& thread_;
};

task<std::thread::id> move_to_new_thread(std::jthread& thread) {
    counted held;
    co_await on_new_thread(thread);
    co_return std::this_thread::get_id();
}

TEST_F(SyncWait, the_task_may_end_on_another_thread) {
    for (int i = 0; i < 100; ++i) {
        std::jthread thread;
        EXPECT_NE(sync_wait(move_to_new_thread(thread)), std::this_thread::get_id());
    }
}

task<int> nested(event& e) {
    co_await e.wait();
    event inner;
    auto [nothing, value] = sync_wait(when_all(set_event(inner), value_after_event(inner, 5)));
    co_return value;
}

task<int> nested_from_the_queue() {
    event e;
    auto [value, nothing] = co_await when_all(nested(e), set_event(e));
    co_return value;
}

TEST_F(SyncWait, may_be_nested) { EXPECT_EQ(sync_wait(nested_from_the_queue()), 5); }

TEST_F(SyncWait, threads_are_independent) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([] {
            for (int n = 0; n < 1000; ++n) {
                event e;
                auto [nothing, one] = sync_wait(when_all(set_event(e), ready_task(1)));
                EXPECT_EQ(one, 1);
            }
        });
    }
}

TEST(Blocking, is_refused_on_a_loop_thread_with_a_helpful_message) {
    EXPECT_TRUE(blocking_allowed());
    EXPECT_NO_THROW(require_blocking_allowed("this"));
    {
        scoped_disallow_blocking outer;
        scoped_disallow_blocking inner;
        EXPECT_FALSE(blocking_allowed());
        try {
            sync_wait(ready_task(1));
            FAIL();
        } catch (const synchronous_only& error) {
            EXPECT_TRUE(std::string(error.what()).starts_with("sync_wait blocks"));
            EXPECT_NE(std::string(error.what()).find("co_await"), std::string::npos);
        }
        std::jthread([] { EXPECT_TRUE(blocking_allowed()); }).join();
    }
    EXPECT_TRUE(blocking_allowed());
}

}  // namespace
}  // namespace rondo
