// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/spelling_suggestion.hpp>

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace rondo::cli {
namespace {

constexpr std::array<std::string_view, 5> names{"threads", "workers", "worker-class", "max-body", "bind"};

TEST(SpellingSuggestion, finds_a_similar_name) {
    EXPECT_EQ(spelling_suggestion("treads", names), "threads");
    EXPECT_EQ(spelling_suggestion("thraeds", names), "threads");
    EXPECT_EQ(spelling_suggestion("worker", names), "workers");
    EXPECT_EQ(spelling_suggestion("workerclass", names), "worker-class");
    EXPECT_EQ(spelling_suggestion("maxbody", names), "max-body");
    EXPECT_EQ(spelling_suggestion("bnid", names), "bind");
    EXPECT_EQ(spelling_suggestion("threads", names), "threads");
}

TEST(SpellingSuggestion, is_empty_without_a_similar_name) {
    EXPECT_EQ(spelling_suggestion("frobnicate", names), "");
    EXPECT_EQ(spelling_suggestion("", names), "");
    EXPECT_EQ(spelling_suggestion("x", names), "");
    EXPECT_EQ(spelling_suggestion(std::string(10'000, 'x'), names), "");
    EXPECT_EQ(spelling_suggestion("bind", {}), "");
}

}  // namespace
}  // namespace rondo::cli
