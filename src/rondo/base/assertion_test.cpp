// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/assertion.hpp>

#include <string>

#include <gtest/gtest.h>

namespace rondo {
namespace {

std::string reported;

TEST(bug, goes_to_the_handler_that_was_set) {
    auto note = [](const char* what) noexcept { reported = what; };
    bug_handler first = on_bug(note);
    report_bug("something is wrong");
    EXPECT_EQ(reported, "something is wrong");
    EXPECT_EQ(on_bug(nullptr), static_cast<bug_handler>(note));
    EXPECT_EQ(on_bug(first), first);
}

}  // namespace
}  // namespace rondo
