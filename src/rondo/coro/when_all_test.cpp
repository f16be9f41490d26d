// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/when_all.hpp>

#include <memory>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/coro/live_objects_fixture.hpp>

namespace rondo {
namespace {

using WhenAll = LiveObjects;

TEST_F(WhenAll, returns_every_kind_of_result_in_order) {
    struct body {
        static task<int&> reference(int& i) { co_return i; }
        static task<std::unique_ptr<int>> unique() { co_return std::make_unique<int>(4); }
    };
    event e;
    int i = 3;
    auto t = when_all(value_after_event(e, 1), await_event(e), body::reference(i), body::unique());
    start(t);
    EXPECT_FALSE(t.done());
    e.set();
    auto [one, nothing, three, four] = result(t);
    static_assert(std::is_same_v<decltype(nothing), std::monostate>);
    EXPECT_EQ(one, 1);
    EXPECT_EQ(three, &i);
    EXPECT_EQ(*four, 4);
}

TEST_F(WhenAll, accepts_no_tasks_and_tasks_that_end_immediately) {
    auto none = when_all();
    start(none);
    EXPECT_TRUE(none.done());
    auto empty = when_all(std::vector<task<int>>());
    start(empty);
    EXPECT_TRUE(result(empty).empty());
    auto ended = when_all(ready_task(1), ready_task(2));
    start(ended);
    EXPECT_EQ(result(ended), std::tuple(1, 2));
}

TEST_F(WhenAll, accepts_a_vector) {
    event e;
    std::vector<task<int>> tasks;
    std::vector<task<void>> voids;
    for (int i = 0; i < 5; ++i) tasks.push_back(value_after_event(e, i));
    for (int i = 0; i < 5; ++i) voids.push_back(await_event(e));
    auto t = when_all(std::move(tasks));
    auto u = when_all(std::move(voids));
    start(t);
    start(u);
    EXPECT_FALSE(u.done());
    e.set();
    EXPECT_EQ(result(t), (std::vector{0, 1, 2, 3, 4}));
    EXPECT_TRUE(u.done());
}

TEST_F(WhenAll, the_first_failure_cancels_the_others_and_is_thrown_when_all_have_ended) {
    event e, never;
    std::string note;
    auto t = when_all(record_outcome(never, note), fail_after(e, "first"), value_after_event(never));
    start(t);
    e.set();
    EXPECT_EQ(note, "cancelled 1");
    ASSERT_TRUE(t.done());
    try {
        result(t);
        FAIL();
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "first");
    }
}

TEST_F(WhenAll, the_first_of_two_failures_wins) {
    event e;
    auto t = when_all(fail_after(e, "first"), fail_after(e, "second"));
    start(t);
    e.set();
    try {
        result(t);
        FAIL();
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "first");
    }
}

TEST_F(WhenAll, does_not_start_tasks_after_an_immediate_failure) {
    event never;
    std::string first, second;
    auto t = when_all(record_outcome(never, first), fail("now"), record_outcome(never, second));
    start(t);
    EXPECT_EQ(first, "cancelled 1");
    EXPECT_EQ(second, "");
    EXPECT_THROW(result(t), std::runtime_error);
}

TEST_F(WhenAll, cancelling_the_parent_cancels_all) {
    task_context in;
    event never;
    std::string first, second;
    auto t = when_all(record_outcome(never, first), record_outcome(never, second));
    start(t, &in);
    in.cancel.cancel(cancel_reason::deadline);
    EXPECT_EQ(first, "cancelled 3");
    EXPECT_EQ(second, "cancelled 3");
    try {
        result(t);
        FAIL();
    } catch (const cancelled& c) {
        EXPECT_EQ(c.reason, cancel_reason::deadline);
    }
}

TEST_F(WhenAll, starts_nothing_in_a_cancelled_context) {
    task_context in;
    in.cancel.cancel(cancel_reason::drain);
    event never;
    std::string note;
    auto t = when_all(record_outcome(never, note));
    start(t, &in);
    EXPECT_EQ(note, "");
    EXPECT_THROW(result(t), cancelled);
}

TEST_F(WhenAll, may_be_destroyed_before_start_and_while_waiting) {
    event e;
    {
        auto t = when_all(value_after_event(e), await_event(e));
    }
    {
        auto t = when_all(value_after_event(e), await_event(e));
        start(t);
        EXPECT_EQ(counted::alive, 2);
    }
    EXPECT_EQ(counted::alive, 0);
    e.set();
}

TEST_F(WhenAll, may_be_nested) {
    event e, f;
    auto t = when_all(when_all(value_after_event(e, 1), value_after_event(f, 2)),
                      when_all(value_after_event(f, 3), fail_after(e, "inner")));
    start(t);
    e.set();
    EXPECT_THROW(result(t), std::runtime_error);
}

}  // namespace
}  // namespace rondo
