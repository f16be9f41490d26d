// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/routing/convert.hpp>

#include <gtest/gtest.h>

#include <limits>

namespace rondo {
namespace {

TEST(Convert, parses_integers) {
    EXPECT_EQ(convert<std::int64_t>("0"), 0);
    EXPECT_EQ(convert<int>("-7"), -7);
    EXPECT_EQ(convert<int>("007"), 7);
    EXPECT_EQ(convert<std::int64_t>("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(convert<std::uint64_t>("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
    for (const char* bad : {"", "-", "+1", " 1", "1 ", "1.0", "0x1", "1e3", "9223372036854775808", "--1", "a"}) {
        EXPECT_EQ(convert<std::int64_t>(bad), std::nullopt) << bad;
    }
    EXPECT_EQ(convert<std::uint8_t>("256"), std::nullopt);
    EXPECT_EQ(convert<std::int8_t>("-129"), std::nullopt);
    EXPECT_EQ(convert<unsigned>("-1"), std::nullopt);
}

TEST(Convert, parses_decimals) {
    EXPECT_EQ(convert<double>("1.5"), 1.5);
    EXPECT_EQ(convert<double>("-0.25"), -0.25);
    EXPECT_EQ(convert<float>("3"), 3.0F);
    for (const char* bad : {"", ".", "1.", ".5", "1e3", "inf", "nan", "0x1p3", "-", "--1", "1.2.3", " 1"}) {
        EXPECT_EQ(convert<double>(bad), std::nullopt) << bad;
    }
}

TEST(Convert, parses_booleans_and_text) {
    EXPECT_EQ(convert<bool>("yes"), true);
    EXPECT_EQ(convert<bool>("0"), false);
    EXPECT_EQ(convert<bool>("maybe"), std::nullopt);
    EXPECT_EQ(convert<std::string>("x y"), "x y");
    EXPECT_EQ(convert<std::string_view>(""), "");
}

}  // namespace
}  // namespace rondo
