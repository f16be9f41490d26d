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

using queue_lives = lives;
using items = queue<counted>;

task<void> push(items& q, int value) { co_await q.push(counted(value)); }

task<std::optional<int>> pop(items& q) {
    auto item = co_await q.pop();
    if (!item) co_return std::nullopt;
    co_return item->value;
}

TEST_F(queue_lives, gives_items_in_order) {
    items q(3);
    EXPECT_TRUE(q.empty());
    for (int i = 1; i <= 3; ++i) EXPECT_TRUE(q.try_push(counted(i)));
    EXPECT_EQ(q.size(), 3u);
    EXPECT_FALSE(q.try_push(counted(4)));
    for (int i = 1; i <= 3; ++i) EXPECT_EQ(q.try_pop()->value, i);
    EXPECT_FALSE(q.try_pop());
}

TEST_F(queue_lives, a_refused_item_is_untouched) {
    queue<std::unique_ptr<int>> q(0);
    EXPECT_EQ(q.capacity(), 1u);
    EXPECT_TRUE(q.try_push(std::make_unique<int>(1)));
    auto second = std::make_unique<int>(2);
    EXPECT_FALSE(q.try_push(std::move(second)));
    EXPECT_TRUE(second);
}

TEST_F(queue_lives, a_push_waits_for_room_and_a_pop_for_an_item) {
    items q(1);
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

TEST_F(queue_lives, closing_lets_the_rest_out_and_nothing_in) {
    items q(1);
    auto in = push(q, 1), late = push(q, 2);
    start(in);
    start(late);
    q.close();
    q.close();
    EXPECT_TRUE(q.closed());
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

TEST_F(queue_lives, closing_wakes_those_who_wait_for_an_item) {
    items q(1);
    auto a = pop(q), b = pop(q);
    start(a);
    start(b);
    q.close();
    EXPECT_EQ(result(a), std::nullopt);
    EXPECT_EQ(result(b), std::nullopt);
}

TEST_F(queue_lives, a_cancelled_push_leaves_no_item_and_a_cancelled_pop_takes_none) {
    items q(1);
    context in;
    auto a = pop(q);
    start(a, &in);
    in.cancel.cancel();
    EXPECT_THROW(result(a), cancelled);
    EXPECT_TRUE(q.try_push(counted(1)));

    context other;
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

TEST_F(queue_lives, an_item_of_a_coroutine_destroyed_before_it_goes_on_returns_to_the_front) {
    items q(2);
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

TEST_F(queue_lives, an_item_that_returns_goes_to_the_next_who_waits) {
    items q(2);
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

TEST_F(queue_lives, destroyed_before_those_who_wait) {
    std::optional<items> q(1);
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

task<long> both(std::size_t capacity, int count) {
    queue<int> q(capacity);
    auto [nothing, sum] = co_await when_all(produce(q, count), consume(q));
    co_return sum;
}

TEST(queue, carries_much_in_little_space) {
    for (std::size_t capacity : {1, 2, 64}) {
        auto t = both(capacity, 10'000);
        start(t);
        EXPECT_EQ(result(t), 49'995'000);
    }
}

}  // namespace
}  // namespace rondo
