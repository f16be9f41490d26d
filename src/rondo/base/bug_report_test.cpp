// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/bug_report.hpp>

#include <string>

#include <gtest/gtest.h>

namespace rondo {
namespace {

std::string reported;

TEST(BugReport, calls_the_handler_that_was_set) {
    auto record = [](const char* message) noexcept { reported = message; };
    bug_handler first = set_bug_handler(record);
    report_bug("something is wrong");
    EXPECT_EQ(reported, "something is wrong");
    EXPECT_EQ(set_bug_handler(nullptr), static_cast<bug_handler>(record));
    EXPECT_EQ(set_bug_handler(first), first);
}

}  // namespace
}  // namespace rondo
