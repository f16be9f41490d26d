// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/spelling_suggestion.hpp>

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace rondo::cli {
namespace {

constexpr std::array<std::string_view, 5> names{"threads", "workers", "worker-class", "max-body", "bind"};

TEST(SpellingSuggestion, finds_a_similar_name) {
    EXPECT_EQ(nearest("treads", names), "threads");
    EXPECT_EQ(nearest("thraeds", names), "threads");
    EXPECT_EQ(nearest("worker", names), "workers");
    EXPECT_EQ(nearest("workerclass", names), "worker-class");
    EXPECT_EQ(nearest("maxbody", names), "max-body");
    EXPECT_EQ(nearest("bnid", names), "bind");
    EXPECT_EQ(nearest("threads", names), "threads");
}

TEST(SpellingSuggestion, is_empty_without_a_similar_name) {
    EXPECT_EQ(nearest("frobnicate", names), "");
    EXPECT_EQ(nearest("", names), "");
    EXPECT_EQ(nearest("x", names), "");
    EXPECT_EQ(nearest(std::string(10'000, 'x'), names), "");
    EXPECT_EQ(nearest("bind", {}), "");
}

}  // namespace
}  // namespace rondo::cli
