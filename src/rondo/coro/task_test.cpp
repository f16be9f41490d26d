// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/task.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/base/frame_memory.hpp>
#include <rondo/coro/live_objects_fixture.hpp>
#include <rondo/coro/this_context.hpp>

namespace rondo {
namespace {

using Task = LiveObjects;

task<int> doubled(task<int> t) { co_return 2 * co_await std::move(t); }

task<int> return_argument(counted c) { co_return c.value; }

task<int> return_argument_after(counted c, event& e) {
    co_await e.wait();
    co_return c.value;
}

TEST_F(Task, does_not_run_until_awaited_and_returns_its_result) {
    bool ran = false;
    struct body {
        static task<int> run(bool& ran) {
            ran = true;
            co_return 21;
        }
    };
    task<int> t = doubled(body::run(ran));
    EXPECT_FALSE(ran);
    EXPECT_FALSE(t.done());
    start(t);
    EXPECT_TRUE(ran);
    EXPECT_EQ(result(t), 42);
}

TEST_F(Task, returns_move_only_values_references_and_braced_values) {
    struct body {
        static task<std::unique_ptr<int>> unique() { co_return std::make_unique<int>(7); }
        static task<int&> reference(int& i) { co_return i; }
        static task<std::pair<int, std::string>> braced() { co_return {1, "one"}; }
        static task<std::string> all(int& i) {
            auto p = co_await unique();
            int& r = co_await reference(i);
            r += *p;
            co_return (co_await braced()).second;
        }
    };
    int i = 1;
    auto t = body::all(i);
    start(t);
    EXPECT_EQ(result(t), "one");
    EXPECT_EQ(i, 8);
}

TEST_F(Task, the_await_rethrows_the_exception) {
    auto t = doubled(fail("no"));
    start(t);
    ASSERT_TRUE(t.done());
    EXPECT_THROW(result(t), std::runtime_error);
}

TEST_F(Task, destruction_before_start_destroys_the_arguments) {
    {
        auto t = return_argument(counted(1));
        EXPECT_EQ(counted::alive, 1);
    }
    EXPECT_EQ(counted::alive, 0);
}

TEST_F(Task, destruction_while_waiting_runs_the_destructors) {
    event e;
    {
        auto t = doubled(return_argument_after(counted(1), e));
        start(t);
        EXPECT_FALSE(t.done());
        EXPECT_EQ(counted::alive, 1);
    }
    EXPECT_EQ(counted::alive, 0);
    e.set();
}

TEST_F(Task, a_task_destroyed_while_ready_does_not_run) {
    event e;
    {
        ready_queue::batch batch;
        auto t = return_argument_after(counted(1), e);
        start(t);
        e.set();
        EXPECT_FALSE(t.done());
    }
    EXPECT_TRUE(ready_queue::current().empty());
}

TEST_F(Task, may_be_destroyed_after_completion) {
    auto t = return_argument(counted(3));
    start(t);
    EXPECT_TRUE(t.done());
    t = {};
    EXPECT_FALSE(t.valid());
    EXPECT_EQ(counted::alive, 0);
}

TEST_F(Task, an_unused_result_is_destroyed) {
    struct body {
        static task<counted> run() { co_return counted(1); }
    };
    {
        auto t = body::run();
        start(t);
        EXPECT_EQ(counted::alive, 1);
    }
    EXPECT_EQ(counted::alive, 0);
}

TEST_F(Task, assignment_destroys_the_previous_task) {
    auto t = return_argument(counted(1));
    t = return_argument(counted(2));
    EXPECT_EQ(counted::alive, 1);
    auto& same = t;
    t = std::move(same);
    start(t);
    EXPECT_EQ(result(t), 2);
}

TEST_F(Task, a_released_frame_belongs_to_the_caller) {
    auto t = return_argument(counted(1));
    auto frame = t.release();
    EXPECT_FALSE(t.valid());
    EXPECT_EQ(counted::alive, 1);
    frame.destroy();
}

struct throws_at_end {
    ~throws_at_end() noexcept(false) { throw std::runtime_error("late"); }
};

TEST_F(Task, a_destructor_that_throws_after_the_result_is_a_failure) {
    struct body {
        static task<counted> run() {
            throws_at_end last;
            co_return counted(1);
        }
    };
    auto t = body::run();
    start(t);
    EXPECT_THROW(result(t), std::runtime_error);
}

TEST_F(Task, passes_the_context_to_awaited_tasks) {
    struct body {
        static task<task_context*> inner() { co_return co_await this_context(); }
        static task<task_context*> outer() { co_return co_await inner(); }
    };
    task_context in;
    auto t = body::outer();
    start(t, &in);
    EXPECT_EQ(result(t), &in);
}

task<int> sum(int count) {
    int total = 0;
    for (int i = 0; i < count; ++i) total += co_await ready_task(1);
    co_return total;
}

TEST_F(Task, a_million_immediate_awaits_do_not_grow_the_stack) {
    auto t = sum(stack_test_iterations);
    start(t);
    EXPECT_EQ(result(t), stack_test_iterations);
}

task<int> deep(int depth) {
    if (depth == 0) co_return 0;
    co_return 1 + co_await deep(depth - 1);
}

TEST_F(Task, a_chain_of_tasks_returns_without_growing_the_stack) {
    auto t = deep(stack_test_iterations / 100);
    start(t);
    EXPECT_EQ(result(t), stack_test_iterations / 100);
}

TEST_F(Task, allocates_frames_from_frame_memory) {
    {
        auto warm_up = sum(1);
        start(warm_up);
    }
    std::size_t before = frame_memory::cached_bytes();
    {
        auto t = sum(10);
        start(t);
    }
    EXPECT_EQ(frame_memory::cached_bytes(), before);
}

}  // namespace
}  // namespace rondo
