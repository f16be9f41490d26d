// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/assertion.hpp>

#include <string>

#include <gtest/gtest.h>

namespace rondo {
namespace {

std::string reported;

TEST(Assertion, calls_the_handler_that_was_set) {
    auto record = [](const char* message) noexcept { reported = message; };
    bug_handler first = on_bug(record);
    report_bug("something is wrong");
    EXPECT_EQ(reported, "something is wrong");
    EXPECT_EQ(on_bug(nullptr), static_cast<bug_handler>(record));
    EXPECT_EQ(on_bug(first), first);
}

}  // namespace
}  // namespace rondo
