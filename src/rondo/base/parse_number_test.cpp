// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/parse_number.hpp>

#include <cstdint>

#include <gtest/gtest.h>

namespace rondo {
namespace {

TEST(ParseNumber, parses_the_whole_text) {
    EXPECT_EQ(parse_number<int>("-17"), -17);
    EXPECT_EQ(parse_number<unsigned>("644", 8), 0644u);
    EXPECT_EQ(parse_number<double>("2.5"), 2.5);
    EXPECT_EQ(parse_number<std::uint8_t>("255"), 255);
}

TEST(ParseNumber, rejects_anything_else) {
    for (const char* text : {"", " 1", "1 ", "+1", "1x", "0x1", "--1"})
        EXPECT_EQ(parse_number<int>(text), std::nullopt) << text;
    EXPECT_EQ(parse_number<unsigned>("-1"), std::nullopt);
    EXPECT_EQ(parse_number<unsigned>("8", 8), std::nullopt);
}

TEST(ParseNumber, rejects_numbers_out_of_range) {
    EXPECT_EQ(parse_number<std::uint8_t>("256"), std::nullopt);
    EXPECT_EQ(parse_number<double>("1e999"), std::nullopt);
}

}  // namespace
}  // namespace rondo
