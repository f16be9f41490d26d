// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/url.hpp>

#include <stdexcept>

#include <gtest/gtest.h>

#include <rondo/channels/hub.hpp>

namespace rondo {
namespace {

TEST(ChannelsUrl, parses_every_form) {
    EXPECT_EQ(channels_url::parse("memory:").text(), "memory:");
    EXPECT_EQ(channels_url::parse("memory:news-2").name, "news-2");
    EXPECT_EQ(channels_url::parse("redis://cache.example").text(), "redis://cache.example:6379/0");
    EXPECT_EQ(channels_url::parse("redis://[::1]:7000/3").text(), "redis://[::1]:7000/3");
    const auto full = channels_url::parse("redis://me:p%40ss@10.0.0.1:6380/2?prefix=shop%3A");
    EXPECT_EQ(full.user, "me");
    EXPECT_EQ(full.password, "p@ss");
    EXPECT_EQ(full.port, 6380);
    EXPECT_EQ(full.database, 2u);
    EXPECT_EQ(full.prefix, "shop:");
    EXPECT_EQ(full.text(), "redis://10.0.0.1:6380/2");
    const auto local = channels_url::parse("redis+unix://:secret@/run/redis.sock?db=4&prefix=a");
    EXPECT_EQ(local.path, "/run/redis.sock");
    EXPECT_EQ(local.password, "secret");
    EXPECT_EQ(local.text(), "redis+unix:///run/redis.sock?db=4");
    EXPECT_FALSE(full.secure);
    const auto tls = channels_url::parse("rediss://:secret@cache.example/1?ca=/etc/a%20b.pem&prefix=a");
    EXPECT_TRUE(tls.secure);
    EXPECT_EQ(tls.ca_file, "/etc/a b.pem");
    EXPECT_EQ(tls.text(), "rediss://cache.example:6379/1");
}

TEST(ChannelsUrl, errors_list_the_forms_and_hide_the_password) {
    for (const char* wrong :
         {"", "redis", "http://x", "memory:a/b", "memory:123456789012345678901234567890123", "redis://",
          "redis://:secret@h:x", "redis://:secret@h:99999", "redis://:secret@h/x", "redis://:secret@h?db=1",
          "redis+unix://relative", "redis://:secret%4@h", "redis://:secret@h?ca=x", "redis://:secret?x@h",
          "redis://h?secret@h", "redis://me:12?secret=x@h"}) {
        try {
            (void)channels_url::parse(wrong);
            ADD_FAILURE() << wrong;
        } catch (const std::invalid_argument& e) {
            EXPECT_NE(std::string_view(e.what()).find("redis://[[USER]"), std::string_view::npos) << wrong;
            EXPECT_EQ(std::string_view(e.what()).find("secret"), std::string_view::npos) << wrong;
        }
    }
}

TEST(ChannelPattern, matches_bytes) {
    using channels_detail::matches;
    EXPECT_TRUE(matches("", ""));
    EXPECT_TRUE(matches("*", ""));
    EXPECT_TRUE(matches("a*c*e", "abcde"));
    EXPECT_TRUE(matches("a*c*e", "accee"));
    EXPECT_TRUE(matches("?b?", "abc"));
    EXPECT_TRUE(matches("a**", "a"));
    EXPECT_FALSE(matches("a", ""));
    EXPECT_FALSE(matches("", "a"));
    EXPECT_FALSE(matches("a*c", "ab"));
    EXPECT_FALSE(matches("?", ""));
    EXPECT_FALSE(matches("a?", "a"));
    EXPECT_FALSE(matches("abc", "abcd"));
}

}  // namespace
}  // namespace rondo
