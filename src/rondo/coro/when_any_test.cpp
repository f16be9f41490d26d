// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/when_any.hpp>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/coro/live_objects_fixture.hpp>
#include <rondo/coro/when_all.hpp>

namespace rondo {
namespace {

using WhenAny = LiveObjects;

TEST_F(WhenAny, the_first_to_end_wins_and_the_others_are_cancelled) {
    event e, never;
    std::string note;
    auto t = when_any(record_outcome(never, note), value_after_event(e, 1), value_after_event(never, 2));
    start(t);
    EXPECT_FALSE(t.done());
    e.set();
    EXPECT_EQ(note, "cancelled 1");
    auto won = result(t);
    ASSERT_EQ(won.index(), 1u);
    EXPECT_EQ(std::get<1>(won), 1);
}

TEST_F(WhenAny, distinguishes_equal_types_by_index) {
    event first, second;
    auto t = when_any(value_after_event(first, 1), value_after_event(second, 2), await_event(first));
    start(t);
    second.set();
    auto won = result(t);
    EXPECT_EQ(won.index(), 1u);
    EXPECT_EQ(std::get<1>(won), 2);
}

TEST_F(WhenAny, does_not_start_tasks_after_one_that_ends_immediately) {
    event never;
    std::string first, second;
    auto t = when_any(record_outcome(never, first), ready_task(2), record_outcome(never, second));
    start(t);
    EXPECT_EQ(result(t).index(), 1u);
    EXPECT_EQ(first, "cancelled 1");
    EXPECT_EQ(second, "");
}

TEST_F(WhenAny, rethrows_the_exception_of_the_first_task_to_end) {
    event e, never;
    std::string note;
    auto t = when_any(record_outcome(never, note), fail_after(e, "first"));
    start(t);
    e.set();
    EXPECT_EQ(note, "cancelled 1");
    EXPECT_THROW(result(t), std::runtime_error);
}

task<void> fail_when_cancelled(event& e) {
    counted held;
    try {
        co_await e.wait();
    } catch (const cancelled&) {
        throw std::runtime_error("in the cleanup");
    }
}

TEST_F(WhenAny, discards_exceptions_of_the_other_tasks) {
    event e, never;
    auto t = when_any(fail_when_cancelled(never), value_after_event(e, 5));
    start(t);
    e.set();
    EXPECT_EQ(std::get<1>(result(t)), 5);
}

TEST_F(WhenAny, accepts_a_vector) {
    event e, never;
    std::vector<task<int>> tasks;
    tasks.push_back(value_after_event(never, 1));
    tasks.push_back(value_after_event(e, 2));
    auto t = when_any(std::move(tasks));
    start(t);
    e.set();
    auto won = result(t);
    EXPECT_EQ(won.index, 1u);
    EXPECT_EQ(won.value, 2);

    std::vector<task<void>> voids;
    voids.push_back(await_event(e));
    auto u = when_any(std::move(voids));
    start(u);
    EXPECT_EQ(result(u).index, 0u);

    auto none = when_any(std::vector<task<int>>());
    start(none);
    EXPECT_THROW(result(none), std::invalid_argument);
}

TEST_F(WhenAny, cancelling_the_parent_cancels_all) {
    task_context in;
    event never;
    std::string first, second;
    auto t = when_any(record_outcome(never, first), record_outcome(never, second));
    start(t, &in);
    in.cancel.cancel(cancel_reason::disconnected);
    EXPECT_EQ(first, "cancelled 2");
    EXPECT_EQ(second, "cancelled 2");
    EXPECT_THROW(result(t), cancelled);
    auto late = when_any(ready_task(1), ready_task(2));
    start(late, &in);
    EXPECT_THROW(result(late), cancelled);
}

TEST_F(WhenAny, may_be_destroyed_before_start_and_while_waiting) {
    event e;
    {
        auto t = when_any(value_after_event(e), await_event(e));
    }
    {
        auto t = when_any(value_after_event(e), await_event(e));
        start(t);
        EXPECT_EQ(counted::alive, 2);
    }
    EXPECT_EQ(counted::alive, 0);
}

TEST_F(WhenAny, combines_with_when_all) {
    event e, never;
    auto t = when_any(when_all(value_after_event(e, 1), value_after_event(e, 2)), await_event(never));
    start(t);
    e.set();
    auto won = result(t);
    ASSERT_EQ(won.index(), 0u);
    EXPECT_EQ(std::get<0>(won), std::tuple(1, 2));
}

}  // namespace
}  // namespace rondo
