// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/async_generator.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/coro/live_objects_fixture.hpp>
#include <rondo/coro/queue.hpp>
#include <rondo/coro/this_context.hpp>

namespace rondo {
namespace {

using AsyncGenerator = LiveObjects;

async_generator<std::string> lines(queue<int>& q) {
    counted held;
    while (auto i = co_await q.pop()) co_yield "a line that is too long for the small buffer: " + std::to_string(*i);
}

template <class T>
task<std::vector<T>> collect(async_generator<T> g) {
    std::vector<T> items;
    while (T* item = co_await g.next()) items.push_back(std::move(*item));
    if (co_await g.next()) throw std::logic_error("a value after the end");
    co_return items;
}

TEST_F(AsyncGenerator, the_body_may_await) {
    queue<int> q(1);
    auto t = collect(lines(q));
    start(t);
    EXPECT_TRUE(q.try_push(1));
    EXPECT_TRUE(q.try_push(2));
    EXPECT_FALSE(t.done());
    q.close();
    auto items = result(t);
    ASSERT_EQ(items.size(), 2u);
    EXPECT_TRUE(items[1].ends_with(": 2"));
}

TEST_F(AsyncGenerator, an_empty_generator_ends_immediately) {
    auto t = collect(async_generator<int>());
    start(t);
    EXPECT_TRUE(result(t).empty());
}

async_generator<counted> copies() {
    counted local(1);
    co_yield local;
    co_yield local;
    co_yield counted(2);
}

TEST_F(AsyncGenerator, copies_a_yielded_lvalue) {
    auto t = collect(copies());
    start(t);
    auto items = result(t);
    ASSERT_EQ(items.size(), 3u);
    EXPECT_EQ(items[1].value, 1);
    EXPECT_EQ(items[2].value, 2);
}

async_generator<const counted&> references(const counted& c) { co_yield c; }

task<bool> yields_same_object(const counted& c) {
    auto g = references(c);
    co_return co_await g.next() == &c;
}

TEST_F(AsyncGenerator, never_copies_yielded_references) {
    counted c;
    auto t = yields_same_object(c);
    start(t);
    EXPECT_TRUE(result(t));
    EXPECT_EQ(counted::constructed, 1);
}

async_generator<int> yield_then_throw(event& e) {
    counted held;
    co_yield 1;
    co_await e.wait();
    throw std::runtime_error("second");
}

task<std::string> pull_failure(event& e) {
    auto g = yield_then_throw(e);
    co_await g.next();
    std::string note;
    try {
        co_await g.next();
    } catch (const std::runtime_error& error) {
        note = error.what();
    }
    if (!co_await g.next()) note += " end";
    co_return note;
}

TEST_F(AsyncGenerator, a_pull_rethrows_the_exception_of_the_body) {
    event e;
    auto t = pull_failure(e);
    start(t);
    e.set();
    EXPECT_EQ(result(t), "second end");
}

TEST_F(AsyncGenerator, a_waiting_body_is_cancelled_with_its_consumer) {
    queue<int> q(1);
    task_context in;
    auto t = collect(lines(q));
    start(t, &in);
    EXPECT_EQ(counted::alive, 1);
    in.cancel.cancel();
    EXPECT_THROW(result(t), cancelled);
    t = {};
    EXPECT_EQ(counted::alive, 0);
}

async_generator<int> endless() {
    for (int i = 0;; ++i) co_yield i;
}

task<int> cancel_itself(task_context& in) {
    auto g = endless();
    while (int* i = co_await g.next())
        if (*i == 3) in.cancel.cancel();
    co_return 0;
}

TEST_F(AsyncGenerator, a_pull_in_a_cancelled_context_throws_without_running_the_body) {
    task_context in;
    auto t = cancel_itself(in);
    start(t, &in);
    EXPECT_THROW(result(t), cancelled);
}

async_generator<task_context*> contexts() {
    for (;;) co_yield co_await this_context();
}

task<task_context*> pull_context(async_generator<task_context*>& g) {
    task_context** in = co_await g.next();
    co_return *in;
}

TEST_F(AsyncGenerator, runs_in_the_context_of_the_consumer) {
    auto g = contexts();
    task_context first, second;
    auto a = pull_context(g), b = pull_context(g), c = pull_context(g);
    start(a, &first);
    start(b, &second);
    start(c);
    EXPECT_EQ(result(a), &first);
    EXPECT_EQ(result(b), &second);
    EXPECT_EQ(result(c), nullptr);
}

TEST_F(AsyncGenerator, may_be_destroyed_before_start_between_pulls_and_while_waiting) {
    queue<int> q(1);
    {
        auto g = lines(q);
    }
    EXPECT_EQ(counted::constructed, 0);
    event e;
    {
        auto g = yield_then_throw(e);
        auto pull = [](async_generator<int>& from) -> task<void> { co_await from.next(); };
        auto t = pull(g);
        start(t);
        EXPECT_EQ(counted::alive, 1);
        auto moved = std::move(g);
        auto u = pull(moved);
        start(u);
        EXPECT_FALSE(u.done());
    }
    EXPECT_EQ(counted::alive, 0);
    auto t = collect(lines(q));
    start(t);
    t = {};
    EXPECT_EQ(counted::alive, 0);
    e.set();
}

task<long> sum_up_to(int count) {
    auto g = endless();
    long sum = 0;
    while (int* i = co_await g.next()) {
        if (*i == count) break;
        sum += *i;
    }
    co_return sum;
}

TEST_F(AsyncGenerator, a_million_immediate_values_do_not_grow_the_stack) {
    auto t = sum_up_to(stack_test_iterations);
    start(t);
    EXPECT_EQ(result(t), stack_test_iterations * (stack_test_iterations - 1L) / 2);
}

}  // namespace
}  // namespace rondo
