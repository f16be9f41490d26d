// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/date.hpp>

#include <string>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

constexpr unix_seconds sample = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
constexpr unix_seconds in_2023 = 1700000000;

TEST(Date, formats_imf_fixdate) {
    EXPECT_EQ(format_date(sample), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(format_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    EXPECT_EQ(format_date(-1), "Wed, 31 Dec 1969 23:59:59 GMT");
    EXPECT_EQ(format_date(951782400), "Tue, 29 Feb 2000 00:00:00 GMT");
    EXPECT_EQ(format_date(4107542400), "Mon, 01 Mar 2100 00:00:00 GMT");
    EXPECT_EQ(format_date(253402300799), "Fri, 31 Dec 9999 23:59:59 GMT");
    EXPECT_EQ(format_date(INT64_MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    EXPECT_EQ(format_date(INT64_MIN), "Sat, 01 Jan 0000 00:00:00 GMT");
    EXPECT_EQ(format_date(sample).size(), date_size);
}

TEST(Date, parses_the_three_formats) {
    EXPECT_EQ(parse_date("Sun, 06 Nov 1994 08:49:37 GMT", in_2023), sample);
    EXPECT_EQ(parse_date("Sunday, 06-Nov-94 08:49:37 GMT", in_2023), sample);
    EXPECT_EQ(parse_date("Sun Nov  6 08:49:37 1994", in_2023), sample);
    EXPECT_EQ(parse_date("Wed Nov 16 08:49:37 1994", in_2023), sample + 10 * 86400);
}

TEST(Date, round_trips) {
    for (unix_seconds t = -62167219200; t < 253402300799; t += 86400 * 97 + 12345) {
        ASSERT_EQ(parse_date(format_date(t), in_2023), t) << t;
    }
}

TEST(Date, two_digit_years_are_at_most_fifty_years_ahead) {
    const auto year_of = [](const char* text) {
        const auto time = parse_date(text, in_2023);
        return time ? format_date(*time).substr(12, 4) : "none";
    };
    EXPECT_EQ(year_of("Sunday, 06-Nov-73 08:49:37 GMT"), "2073");
    EXPECT_EQ(year_of("Sunday, 06-Nov-74 08:49:37 GMT"), "1974");
    EXPECT_EQ(year_of("Sunday, 06-Nov-00 08:49:37 GMT"), "2000");
    EXPECT_EQ(year_of("Sunday, 06-Nov-99 08:49:37 GMT"), "1999");
}

TEST(Date, rejects_invalid_dates) {
    for (const char* bad : {"",
                            "yesterday",
                            "Sun, 06 Nov 1994 08:49:37",
                            "Sun, 06 Nov 1994 08:49:37 UTC",
                            "Sun, 06 Nov 1994 08:49:37 GMT ",
                            "sun, 06 Nov 1994 08:49:37 GMT",
                            "Sun, 6 Nov 1994 08:49:37 GMT",
                            "Sun, 06 nov 1994 08:49:37 GMT",
                            "Sun, 31 Nov 1994 08:49:37 GMT",
                            "Sun, 00 Nov 1994 08:49:37 GMT",
                            "Sun, 29 Feb 1994 08:49:37 GMT",
                            "Sun, 29 Feb 1900 08:49:37 GMT",
                            "Sun, 06 Nov 1994 24:00:00 GMT",
                            "Sun, 06 Nov 1994 08:60:37 GMT",
                            "Sun, 06 Nov 1994 08:49:61 GMT",
                            "Sun, 06 anF 1994 08:49:37 GMT",
                            "Sun, 06 Nov 19940 08:49:37 GMT",
                            "Sun, 06 Nov -994 08:49:37 GMT",
                            "Sun Nov 6 08:49:37 1994",
                            "Sunday, 06-Nov-1994 08:49:37 GMT",
                            "Sun, 06-Nov-94 08:49:37 GMT",
                            "784111777"}) {
        EXPECT_EQ(parse_date(bad, in_2023), std::nullopt) << bad;
    }
    EXPECT_TRUE(parse_date("Tue, 29 Feb 2000 23:59:60 GMT", in_2023)) << "a leap day and a leap second";
}

}  // namespace
}  // namespace rondo::http
