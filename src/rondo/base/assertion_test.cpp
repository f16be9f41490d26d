// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/assertion.hpp>

#include <string>

#include <gtest/gtest.h>

namespace rondo {
namespace {

std::string reported;

TEST(Assertion, calls_the_handler_that_was_set) {
    auto record = [](const char* message) noexcept { reported = message; };
    assertion_handler first = set_assertion_handler(record);
    report_failed_assertion("something is wrong");
    EXPECT_EQ(reported, "something is wrong");
    EXPECT_EQ(set_assertion_handler(nullptr), static_cast<assertion_handler>(record));
    EXPECT_EQ(set_assertion_handler(first), first);
}

}  // namespace
}  // namespace rondo
