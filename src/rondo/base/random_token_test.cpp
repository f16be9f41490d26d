// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/random_token.hpp>

#include <gtest/gtest.h>

namespace rondo {
namespace {

TEST(RandomToken, differs_each_time) {
    const std::string token = random_token();
    EXPECT_EQ(token.size(), 32u);
    EXPECT_EQ(token.find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_NE(token, random_token());
}

}  // namespace
}  // namespace rondo
