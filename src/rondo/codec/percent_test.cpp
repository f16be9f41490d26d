// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/percent.hpp>

#include <string>

#include <gtest/gtest.h>

namespace rondo::codec {
namespace {

TEST(Percent, encodes) {
    EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
    EXPECT_EQ(percent_encode("/a b?&=+%\xc3\xa9"), "%2Fa%20b%3F%26%3D%2B%25%C3%A9");
    EXPECT_EQ(percent_encode("/a b?&=+%", percent_set::path), "/a%20b%3F&=+%25");
    EXPECT_EQ(percent_encode(std::string("\0\n", 2)), "%00%0A");
}

TEST(Percent, decodes) {
    EXPECT_EQ(percent_decode("%2Fa%20b+%c3%A9"), "/a b+\xc3\xa9");
    EXPECT_EQ(percent_decode(""), "");
    for (const char* bad : {"%", "%4", "a%", "%g0", "%0g", "% 1", "%-1"})
        EXPECT_EQ(percent_decode(bad), std::nullopt) << bad;
}

TEST(Percent, round_trips) {
    std::string all;
    for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
    EXPECT_EQ(percent_decode(percent_encode(all)), all);
    EXPECT_EQ(percent_decode(percent_encode(all, percent_set::path)), all);
}

}  // namespace
}  // namespace rondo::codec
