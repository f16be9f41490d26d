// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/generator.hpp>

#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/base/frame_memory.hpp>
#include <rondo/coro/live_objects_fixture.hpp>

namespace rondo {
namespace {

using Generator = LiveObjects;

generator<int> numbers(int from, int to) {
    counted held;
    for (int i = from; i < to; ++i) co_yield i;
}

generator<std::string> words() {
    co_yield "a word that is too long for the small string buffer";
    std::string local = "another word that is too long for the small string buffer";
    co_yield local;
    co_yield local;
    co_yield std::move(local);
}

TEST_F(Generator, is_an_input_range) {
    static_assert(std::ranges::input_range<generator<int>>);
    int sum = 0;
    for (int i : numbers(0, 10)) sum += i;
    EXPECT_EQ(sum, 45);
    int first = 0;
    for (int i : numbers(5, 100) | std::views::take(2)) first += i;
    EXPECT_EQ(first, 11);
}

TEST_F(Generator, next_may_be_called_beyond_the_end) {
    auto g = numbers(1, 2);
    EXPECT_EQ(*g.next(), 1);
    EXPECT_EQ(g.next(), nullptr);
    EXPECT_EQ(g.next(), nullptr);
    generator<int> none;
    EXPECT_EQ(none.next(), nullptr);
    EXPECT_EQ(none.begin(), none.end());
}

TEST_F(Generator, copies_a_yielded_lvalue_so_that_the_consumer_may_move_from_it) {
    std::vector<std::string> items;
    for (std::string& w : words()) items.push_back(std::move(w));
    ASSERT_EQ(items.size(), 4u);
    EXPECT_EQ(items[1], items[2]);
    EXPECT_EQ(items[2], items[3]);
    EXPECT_TRUE(items[3].starts_with("another"));
}

TEST_F(Generator, yields_move_only_values) {
    struct body {
        static generator<std::unique_ptr<int>> run() {
            for (int i = 0; i < 3; ++i) co_yield std::make_unique<int>(i);
        }
    };
    std::vector<std::unique_ptr<int>> items;
    for (auto& p : body::run()) items.push_back(std::move(p));
    EXPECT_EQ(*items[2], 2);
}

TEST_F(Generator, never_copies_yielded_references) {
    struct body {
        static generator<const counted&> run(const counted& one) {
            co_yield one;
            co_yield counted(2);
        }
        static generator<int&> change(int& i) { co_yield i; }
    };
    counted one(1);
    std::vector<int> items;
    for (const counted& c : body::run(one)) items.push_back(c.value);
    EXPECT_EQ(items, (std::vector{1, 2}));
    EXPECT_EQ(counted::constructed, 2);
    int i = 1;
    for (int& r : body::change(i)) ++r;
    EXPECT_EQ(i, 2);
}

TEST_F(Generator, a_pull_rethrows_the_exception_of_the_body) {
    struct body {
        static generator<int> run() {
            counted held;
            co_yield 1;
            throw std::runtime_error("second");
        }
    };
    auto g = body::run();
    EXPECT_EQ(*g.next(), 1);
    EXPECT_THROW(g.next(), std::runtime_error);
    EXPECT_EQ(g.next(), nullptr);
}

TEST_F(Generator, may_be_destroyed_before_start_midway_and_by_assignment) {
    {
        auto g = numbers(0, 3);
    }
    EXPECT_EQ(counted::constructed, 0);
    auto g = numbers(0, 3);
    g.next();
    EXPECT_EQ(counted::alive, 1);
    g = numbers(7, 9);
    EXPECT_EQ(counted::alive, 0);
    EXPECT_EQ(*g.next(), 7);
    auto moved = std::move(g);
    EXPECT_EQ(*moved.next(), 8);
    EXPECT_EQ(g.next(), nullptr);  // NOLINT(bugprone-use-after-move): checks that it is empty
}

TEST_F(Generator, yields_a_million_values) {
    long sum = 0;
    for (int i : numbers(0, 1'000'000)) sum += i;
    EXPECT_EQ(sum, 499'999'500'000);
}

}  // namespace
}  // namespace rondo
