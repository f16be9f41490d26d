// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/authority.hpp>

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

TEST(Authority, parses_host_and_port) {
    const auto named = parse_authority("Example.com:8080");
    ASSERT_TRUE(named);
    EXPECT_EQ(named->host, "Example.com");
    EXPECT_EQ(named->port, 8080);

    const auto bracketed = parse_authority("[fe80::1]:0");
    ASSERT_TRUE(bracketed);
    EXPECT_EQ(bracketed->host, "[fe80::1]");
    EXPECT_EQ(bracketed->port, 0);

    const auto empty_port = parse_authority("a:");
    ASSERT_TRUE(empty_port);
    EXPECT_EQ(empty_port->host, "a");
    EXPECT_EQ(empty_port->port, std::nullopt);

    EXPECT_EQ(parse_authority("a")->port, std::nullopt);
    EXPECT_EQ(parse_authority("a:00080")->port, 80);
    EXPECT_EQ(parse_authority("a:65535")->port, 65535);
}

TEST(Authority, parses_ip_literals) {
    for (const char* good :
         {"[::]", "[::1]", "[1:2:3:4:5:6:7:8]", "[::ffff:1.2.3.4]", "[2001:DB8::]", "[v1.a:b]", "[VF.~]"}) {
        EXPECT_TRUE(parse_authority(good)) << good;
        EXPECT_TRUE(is_valid_authority(good)) << good;
    }
    for (const char* bad : {"[",
                            "[]",
                            "[:]",
                            "[:::]",
                            "[1:2:3:4:5:6:7]",
                            "[1:2:3:4:5:6:7:8:9]",
                            "[1::2::3]",
                            "[12345::]",
                            "[::1.2.3]",
                            "[::1.2.3.256]",
                            "[::1.2.3.04]",
                            "[1.2.3.4]",
                            "[::1",
                            "[::1]]",
                            "[[::1]]",
                            "[::1]a",
                            "[v1]",
                            "[v1.]",
                            "[v.a]",
                            "[vg.a]",
                            "[v1.a/b]",
                            "[::1%1]",
                            "[ ::1]"}) {
        EXPECT_FALSE(parse_authority(bad)) << bad;
        EXPECT_FALSE(is_valid_authority(bad)) << bad;
    }
    EXPECT_FALSE(parse_authority(std::string("[::1\0]", 6)));
    EXPECT_FALSE(parse_authority(std::string("[::1\0x]", 7)));
    EXPECT_FALSE(parse_authority("[" + std::string(1000, ':') + "]"));
}

TEST(Authority, parses_names) {
    for (const char* good : {"a", "a.b", "a.", "127.0.0.1", "999.1.1.1", "a_b", "a-b", "%41", "a!$&'()*+;=~b"}) {
        EXPECT_TRUE(parse_authority(good)) << good;
        EXPECT_TRUE(is_valid_authority(good)) << good;
    }
    for (const char* bad : {"",     ":",   ":80",  "a b",   " a",   "a ",      "a,b",
                            "a@b",  "a/b", "a?b",  "a#b",   "a:b",  "a:80a",   "a:1:2",
                            "a%",   "a%4", "a%4g", "a\x7f", "\xe9", "a:65536", "a:99999999999999999999",
                            "a:+80"}) {
        EXPECT_FALSE(parse_authority(bad)) << bad;
        EXPECT_FALSE(is_valid_authority(bad)) << bad;
    }
}

TEST(Authority, fast_validation_agrees_with_the_parser) {
    constexpr std::string_view alphabet = "a7.:%[],@6553";
    std::uint32_t state = 1;
    for (int round = 0; round < 200'000; ++round) {
        std::string text;
        for (unsigned size = (state >> 8) % 9; text.size() < size;) {
            state = state * 1664525 + 1013904223;
            text += alphabet[(state >> 16) % alphabet.size()];
        }
        state = state * 1664525 + 1013904223;
        ASSERT_EQ(is_valid_authority(text), parse_authority(text).has_value()) << text;
    }
}

}  // namespace
}  // namespace rondo::http
