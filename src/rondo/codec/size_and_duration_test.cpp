// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/size_and_duration.hpp>

#include <stdexcept>

#include <gtest/gtest.h>

namespace rondo::codec {
namespace {

using namespace std::chrono_literals;

TEST(SizeAndDuration, parses_durations) {
    EXPECT_EQ(parse_duration("250ms"), 250ms);
    EXPECT_EQ(parse_duration("3s"), 3s);
    EXPECT_EQ(parse_duration("3"), 3s);
    EXPECT_EQ(parse_duration("1.5s"), 1500ms);
    EXPECT_EQ(parse_duration("2m"), 2min);
    EXPECT_EQ(parse_duration("1h"), 1h);
    EXPECT_EQ(parse_duration("0"), 0ms);
    for (const char* bad : {"", "s", "-1s", "1 s", "1d", "1e3", "99999999h", "nan", "inf", "1s "})
        EXPECT_THROW((void)parse_duration(bad), std::invalid_argument) << bad;
}

TEST(SizeAndDuration, parses_sizes) {
    EXPECT_EQ(parse_size("65536"), 65536u);
    EXPECT_EQ(parse_size("64KiB"), 65536u);
    EXPECT_EQ(parse_size("1.5MiB"), 1572864u);
    EXPECT_EQ(parse_size("2GiB"), 2147483648u);
    EXPECT_EQ(parse_size("100kB"), 100000u);
    for (const char* bad : {"", "B1", "-1", "1XB", "1 KiB", "1KB", "1.5.2", "9999999999GiB"})
        EXPECT_THROW((void)parse_size(bad), std::invalid_argument) << bad;
}

TEST(SizeAndDuration, round_trips) {
    for (auto d : {0ms, 1ms, 1500ms, 30'000ms, 90'000ms, 3'600'000ms, 7'200'000ms, 3'601'000ms})
        EXPECT_EQ(parse_duration(duration_text(d)), d);
    EXPECT_EQ(duration_text(90s), "90s");
    EXPECT_EQ(duration_text(2h), "2h");
    for (std::uint64_t n : {0ull, 1ull, 1000ull, 1024ull, 65536ull, 1048576ull, 1048577ull, 3ull << 30})
        EXPECT_EQ(parse_size(size_text(n)), n);
    EXPECT_EQ(size_text(1 << 20), "1MiB");
    EXPECT_EQ(size_text(8192), "8KiB");
}

}  // namespace
}  // namespace rondo::codec
