// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/event.hpp>

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/coro/live_objects_fixture.hpp>

namespace rondo {
namespace {

using Event = LiveObjects;

TEST_F(Event, wakes_all_waiters_and_stays_set) {
    event e;
    std::vector<task<int>> tasks;
    for (int i = 0; i < 3; ++i) {
        tasks.push_back(value_after_event(e, i));
        start(tasks.back());
    }
    EXPECT_FALSE(tasks[0].done());
    e.set();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(result(tasks[i]), i);
    auto late = value_after_event(e, 9);
    start(late);
    EXPECT_EQ(result(late), 9);
    e.reset();
    EXPECT_FALSE(e.is_set());
    auto later = await_event(e);
    start(later);
    EXPECT_FALSE(later.done());
}

TEST_F(Event, may_be_constructed_as_set) {
    event e(true);
    auto t = await_event(e);
    start(t);
    EXPECT_TRUE(t.done());
}

TEST_F(Event, a_waiting_coroutine_is_cancelled) {
    event e;
    task_context in;
    std::string note;
    auto t = record_outcome(e, note);
    start(t, &in);
    in.cancel.cancel(cancel_reason::disconnected);
    in.cancel.cancel(cancel_reason::drain);
    EXPECT_EQ(note, "cancelled 2");
    EXPECT_THROW(result(t), cancelled);
    e.set();
}

TEST_F(Event, a_wait_in_a_cancelled_context_throws_even_when_set) {
    event e(true);
    task_context in;
    in.cancel.cancel(cancel_reason::deadline);
    std::string note;
    auto t = record_outcome(e, note);
    start(t, &in);
    EXPECT_EQ(note, "cancelled 3");
}

TEST_F(Event, the_first_of_waking_and_cancelling_wins) {
    event e;
    task_context in;
    std::string woken, both;
    auto a = record_outcome(e, woken);
    start(a, &in);
    {
        ready_queue::batch batch;
        e.set();
        in.cancel.cancel();
    }
    EXPECT_EQ(woken, "woken");
    e.reset();
    task_context other;
    auto b = record_outcome(e, both);
    start(b, &other);
    {
        ready_queue::batch batch;
        other.cancel.cancel();
        e.set();
    }
    EXPECT_EQ(both, "cancelled 1");
}

TEST_F(Event, waiters_may_be_destroyed_in_any_order) {
    event e;
    auto a = std::make_unique<task<int>>(value_after_event(e, 1));
    auto b = std::make_unique<task<int>>(value_after_event(e, 2));
    auto c = std::make_unique<task<int>>(value_after_event(e, 3));
    for (auto* t : {&a, &b, &c}) start(**t);
    b.reset();
    a.reset();
    e.set();
    EXPECT_EQ(result(*c), 3);
}

task<void> destroy_then(event& e, std::unique_ptr<event>& victim) {
    co_await e.wait();
    victim.reset();
}

TEST_F(Event, may_be_destroyed_by_a_woken_coroutine) {
    auto e = std::make_unique<event>();
    auto a = destroy_then(*e, e);
    auto b = value_after_event(*e, 2);
    start(a);
    start(b);
    e->set();
    EXPECT_FALSE(e);
    EXPECT_EQ(result(b), 2);
}

TEST_F(Event, waiters_of_a_destroyed_event_can_be_cancelled) {
    task_context in;
    auto e = std::make_unique<event>();
    auto a = value_after_event(*e, 1);
    auto b = value_after_event(*e, 2);
    start(a, &in);
    start(b, &in);
    e.reset();
    EXPECT_FALSE(a.done());
    in.cancel.cancel();
    EXPECT_THROW(result(a), cancelled);
    EXPECT_THROW(result(b), cancelled);
}

TEST_F(Event, a_wait_survives_the_destruction_of_its_context) {
    event e;
    auto t = value_after_event(e, 1);
    {
        task_context in;
        start(t, &in);
        t.coroutine().promise().set_context(nullptr);
    }
    e.set();
    EXPECT_EQ(result(t), 1);
}

}  // namespace
}  // namespace rondo
