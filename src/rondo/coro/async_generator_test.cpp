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

using async_generator_lives = lives;

async_generator<std::string> lines(queue<int>& q) {
    counted held;
    while (auto i = co_await q.pop()) co_yield "a line that is too long for the small buffer: " + std::to_string(*i);
}

template <class T>
task<std::vector<T>> all(async_generator<T> g) {
    std::vector<T> got;
    while (T* item = co_await g.next()) got.push_back(std::move(*item));
    if (co_await g.next()) throw std::logic_error("more after the end");
    co_return got;
}

TEST_F(async_generator_lives, waits_in_its_body) {
    queue<int> q(1);
    auto t = all(lines(q));
    start(t);
    EXPECT_TRUE(q.try_push(1));
    EXPECT_TRUE(q.try_push(2));
    EXPECT_FALSE(t.done());
    q.close();
    auto got = result(t);
    ASSERT_EQ(got.size(), 2u);
    EXPECT_TRUE(got[1].ends_with(": 2"));
}

TEST_F(async_generator_lives, an_empty_one_ends_at_once) {
    auto t = all(async_generator<int>());
    start(t);
    EXPECT_TRUE(result(t).empty());
}

async_generator<counted> copies() {
    counted kept(1);
    co_yield kept;
    co_yield kept;
    co_yield counted(2);
}

TEST_F(async_generator_lives, an_lvalue_is_copied) {
    auto t = all(copies());
    start(t);
    auto got = result(t);
    ASSERT_EQ(got.size(), 3u);
    EXPECT_EQ(got[1].value, 1);
    EXPECT_EQ(got[2].value, 2);
}

async_generator<const counted&> references(const counted& c) { co_yield c; }

task<bool> same(const counted& c) {
    auto g = references(c);
    co_return co_await g.next() == &c;
}

TEST_F(async_generator_lives, of_references_never_copies) {
    counted c;
    auto t = same(c);
    start(t);
    EXPECT_TRUE(result(t));
    EXPECT_EQ(counted::made, 1);
}

async_generator<int> fails(event& e) {
    counted held;
    co_yield 1;
    co_await e.wait();
    throw std::runtime_error("second");
}

task<std::string> pull_failure(event& e) {
    auto g = fails(e);
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

TEST_F(async_generator_lives, an_exception_comes_out_of_the_pull) {
    event e;
    auto t = pull_failure(e);
    start(t);
    e.set();
    EXPECT_EQ(result(t), "second end");
}

TEST_F(async_generator_lives, a_body_that_waits_is_cancelled_with_its_consumer) {
    queue<int> q(1);
    context in;
    auto t = all(lines(q));
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

task<int> cancel_itself(context& in) {
    auto g = endless();
    while (int* i = co_await g.next())
        if (*i == 3) in.cancel.cancel();
    co_return 0;
}

TEST_F(async_generator_lives, a_pull_in_a_cancelled_context_throws_without_running_the_body) {
    context in;
    auto t = cancel_itself(in);
    start(t, &in);
    EXPECT_THROW(result(t), cancelled);
}

async_generator<context*> contexts() {
    for (;;) co_yield co_await this_context();
}

task<context*> pull_context(async_generator<context*>& g) {
    context** in = co_await g.next();
    co_return *in;
}

TEST_F(async_generator_lives, runs_in_the_context_of_who_pulls) {
    auto g = contexts();
    context first, second;
    auto a = pull_context(g), b = pull_context(g), c = pull_context(g);
    start(a, &first);
    start(b, &second);
    start(c);
    EXPECT_EQ(result(a), &first);
    EXPECT_EQ(result(b), &second);
    EXPECT_EQ(result(c), nullptr);
}

TEST_F(async_generator_lives, destroyed_before_start_between_pulls_and_while_waiting) {
    queue<int> q(1);
    {
        auto g = lines(q);
    }
    EXPECT_EQ(counted::made, 0);
    event e;
    {
        auto g = fails(e);
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
    auto t = all(lines(q));
    start(t);
    t = {};
    EXPECT_EQ(counted::alive, 0);
    e.set();
}

task<long> add(int count) {
    auto g = endless();
    long sum = 0;
    while (int* i = co_await g.next()) {
        if (*i == count) break;
        sum += *i;
    }
    co_return sum;
}

TEST_F(async_generator_lives, a_million_values_at_once_do_not_grow_the_stack) {
    auto t = add(many);
    start(t);
    EXPECT_EQ(result(t), many * (many - 1L) / 2);
}

}  // namespace
}  // namespace rondo
