// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/range.hpp>

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

// "whole", "unsatisfiable" or the ranges.
std::string ranges_of(std::string_view value, std::uint64_t size = 1000) {
    const range_set set = parse_range(value, size);
    if (set.result != range_set::outcome::partial) {
        EXPECT_TRUE(set.ranges.empty());
        return set.result == range_set::outcome::whole ? "whole" : "unsatisfiable";
    }
    std::string out;
    for (const byte_range range : set.ranges) out += content_range(range, size) + ";";
    return out;
}

TEST(Range, parses_a_single_range) {
    EXPECT_EQ(ranges_of("bytes=0-4"), "bytes 0-4/1000;");
    EXPECT_EQ(ranges_of("bytes=995-"), "bytes 995-999/1000;");
    EXPECT_EQ(ranges_of("bytes=-5"), "bytes 995-999/1000;");
    EXPECT_EQ(ranges_of("bytes=995-5000"), "bytes 995-999/1000;");
    EXPECT_EQ(ranges_of("bytes=-5000"), "bytes 0-999/1000;");
    EXPECT_EQ(ranges_of("BYTES= 0-0 "), "bytes 0-0/1000;");
    EXPECT_EQ(ranges_of("bytes=0-99999999999999999999999999"), "bytes 0-999/1000;");
    EXPECT_EQ(ranges_of("bytes=-99999999999999999999999999"), "bytes 0-999/1000;");
    EXPECT_EQ(ranges_of("bytes=0-", UINT64_MAX), "bytes 0-18446744073709551614/18446744073709551615;");
}

TEST(Range, parses_several_ranges) {
    EXPECT_EQ(ranges_of("bytes=0-0,-1"), "bytes 0-0/1000;bytes 999-999/1000;");
    EXPECT_EQ(ranges_of("bytes=5-6, ,1-2,"), "bytes 5-6/1000;bytes 1-2/1000;");
    EXPECT_EQ(ranges_of("bytes=0-1,2000-3000"), "bytes 0-1/1000;");
}

TEST(Range, detects_unsatisfiable_ranges) {
    EXPECT_EQ(ranges_of("bytes=1000-"), "unsatisfiable");
    EXPECT_EQ(ranges_of("bytes=-0"), "unsatisfiable");
    EXPECT_EQ(ranges_of("bytes=99999999999999999999999-"), "unsatisfiable");
    EXPECT_EQ(ranges_of("bytes=2000-3000,-0"), "unsatisfiable");
    EXPECT_EQ(ranges_of("bytes=0-", 0), "unsatisfiable");
    EXPECT_EQ(ranges_of("bytes=-1", 0), "unsatisfiable");
    EXPECT_EQ(unsatisfied_range(1000), "bytes */1000");
}

TEST(Range, ignores_invalid_fields) {
    for (const char* value : {"", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=5-2", "bytes=a-b", "bytes=--5",
                              "bytes=1-2-3", "bytes=1", "bytes=+1-2", "bytes=1 -2", "bytes=0x1-2", "items=0-5",
                              "bytes =0-1", "0-1", "bytes=0-1,junk", "bytes=0-1;2-3"}) {
        EXPECT_EQ(ranges_of(value), "whole") << value;
    }
}

TEST(Range, ignores_excessive_ranges) {
    EXPECT_EQ(ranges_of("bytes=0-999,0-999"), "whole");
    EXPECT_EQ(ranges_of("bytes=0-499,500-999"), "bytes 0-499/1000;bytes 500-999/1000;");
    EXPECT_EQ(ranges_of("bytes=0-499,499-999"), "whole");
    std::string many = "bytes=0-0";
    for (int i = 1; i < 16; ++i) many += ",0-0";
    EXPECT_NE(ranges_of(many), "whole");
    EXPECT_EQ(ranges_of(many + ",0-0"), "whole");
}

}  // namespace
}  // namespace rondo::http
