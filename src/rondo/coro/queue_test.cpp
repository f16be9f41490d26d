// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/queue.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/coro/live_objects_fixture.hpp>
#include <rondo/coro/when_all.hpp>

namespace rondo {
namespace {

using Queue = LiveObjects;
using counted_queue = queue<counted>;

task<void> push(counted_queue& q, int value) { co_await q.push(counted(value)); }

task<std::optional<int>> pop(counted_queue& q) {
    auto item = co_await q.pop();
    if (!item) co_return std::nullopt;
    co_return item->value;
}

TEST_F(Queue, returns_items_in_order) {
    counted_queue q(3);
    EXPECT_TRUE(q.empty());
    for (int i = 1; i <= 3; ++i) EXPECT_TRUE(q.try_push(counted(i)));
    EXPECT_EQ(q.size(), 3u);
    EXPECT_FALSE(q.try_push(counted(4)));
    for (int i = 1; i <= 3; ++i) EXPECT_EQ(q.try_pop()->value, i);
    EXPECT_FALSE(q.try_pop());
}

TEST_F(Queue, a_refused_item_is_untouched) {
    queue<std::unique_ptr<int>> q(0);
    EXPECT_EQ(q.capacity(), 1u);
    EXPECT_TRUE(q.try_push(std::make_unique<int>(1)));
    auto second = std::make_unique<int>(2);
    EXPECT_FALSE(q.try_push(std::move(second)));
    EXPECT_TRUE(second);
}

TEST_F(Queue, a_push_waits_for_room_and_a_pop_for_an_item) {
    counted_queue q(1);
    auto a = push(q, 1), b = push(q, 2), c = push(q, 3);
    for (auto* t : {&a, &b, &c}) start(*t);
    EXPECT_TRUE(a.done());
    EXPECT_FALSE(b.done());
    EXPECT_EQ(q.try_pop()->value, 1);
    EXPECT_TRUE(b.done());
    EXPECT_FALSE(c.done());
    EXPECT_EQ(q.size(), 1u);
    auto p = pop(q), r = pop(q), s = pop(q), t = pop(q);
    for (auto* x : {&p, &r, &s, &t}) start(*x);
    EXPECT_EQ(result(p), 2);
    EXPECT_EQ(result(r), 3);
    EXPECT_TRUE(c.done());
    EXPECT_TRUE(q.try_push(counted(4)));
    EXPECT_TRUE(q.try_push(counted(5)));
    EXPECT_EQ(result(s), 4);
    EXPECT_EQ(result(t), 5);
    EXPECT_TRUE(q.empty());
}

TEST_F(Queue, a_closed_queue_pops_the_rest_and_rejects_pushes) {
    counted_queue q(1);
    auto in = push(q, 1), late = push(q, 2);
    start(in);
    start(late);
    q.close();
    q.close();
    EXPECT_TRUE(q.is_closed());
    EXPECT_THROW(result(late), queue_closed);
    EXPECT_THROW((void)q.try_push(counted(3)), queue_closed);
    auto after = push(q, 4);
    start(after);
    EXPECT_THROW(result(after), queue_closed);
    auto a = pop(q), b = pop(q);
    start(a);
    start(b);
    EXPECT_EQ(result(a), 1);
    EXPECT_EQ(result(b), std::nullopt);
}

TEST_F(Queue, closing_wakes_waiting_pops) {
    counted_queue q(1);
    auto a = pop(q), b = pop(q);
    start(a);
    start(b);
    q.close();
    EXPECT_EQ(result(a), std::nullopt);
    EXPECT_EQ(result(b), std::nullopt);
}

TEST_F(Queue, a_cancelled_push_adds_no_item_and_a_cancelled_pop_removes_none) {
    counted_queue q(1);
    task_context in;
    auto a = pop(q);
    start(a, &in);
    in.cancel.cancel();
    EXPECT_THROW(result(a), cancelled);
    EXPECT_TRUE(q.try_push(counted(1)));

    task_context other;
    auto b = push(q, 2);
    start(b, &other);
    other.cancel.cancel();
    EXPECT_THROW(result(b), cancelled);
    EXPECT_EQ(q.try_pop()->value, 1);
    EXPECT_FALSE(q.try_pop());

    auto c = push(q, 3);
    start(c, &other);
    EXPECT_THROW(result(c), cancelled);
    EXPECT_TRUE(q.empty());
    EXPECT_TRUE(q.try_push(counted(4)));
    auto d = pop(q);
    start(d, &other);
    EXPECT_THROW(result(d), cancelled);
    EXPECT_EQ(q.size(), 1u);
}

TEST_F(Queue, the_item_of_a_coroutine_destroyed_before_it_resumes_returns_to_the_front) {
    counted_queue q(2);
    auto a = std::make_unique<task<std::optional<int>>>(pop(q));
    start(*a);
    {
        ready_queue::batch batch;
        EXPECT_TRUE(q.try_push(counted(1)));
        EXPECT_TRUE(q.try_push(counted(2)));
        EXPECT_TRUE(q.try_push(counted(3)));
        a.reset();
    }
    EXPECT_EQ(q.size(), 3u);
    for (int i = 1; i <= 3; ++i) EXPECT_EQ(q.try_pop()->value, i);
}

TEST_F(Queue, a_returned_item_goes_to_the_next_waiting_pop) {
    counted_queue q(2);
    auto a = std::make_unique<task<std::optional<int>>>(pop(q));
    auto b = pop(q);
    start(*a);
    start(b);
    {
        ready_queue::batch batch;
        EXPECT_TRUE(q.try_push(counted(1)));
        a.reset();
    }
    EXPECT_EQ(result(b), 1);
}

TEST_F(Queue, may_be_destroyed_before_its_waiters) {
    std::optional<counted_queue> q(1);
    auto a = pop(*q);
    start(a);
    q.reset();
    q.emplace(1);
    auto b = push(*q, 1), c = push(*q, 2);
    start(b);
    start(c);
    q.reset();
    EXPECT_FALSE(a.done());
    EXPECT_FALSE(c.done());
}

task<void> produce(queue<int>& q, int count) {
    for (int i = 0; i < count; ++i) co_await q.push(i);
    q.close();
}

task<long> consume(queue<int>& q) {
    long sum = 0;
    while (auto i = co_await q.pop()) sum += *i;
    co_return sum;
}

task<long> produce_and_consume(std::size_t capacity, int count) {
    queue<int> q(capacity);
    auto [nothing, sum] = co_await when_all(produce(q, count), consume(q));
    co_return sum;
}

TEST_F(Queue, transfers_many_items_at_any_capacity) {
    for (std::size_t capacity : {1, 2, 64}) {
        auto t = produce_and_consume(capacity, 10'000);
        start(t);
        EXPECT_EQ(result(t), 49'995'000);
    }
}

}  // namespace
}  // namespace rondo
