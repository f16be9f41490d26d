// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/etag.hpp>

#include <string>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

TEST(Etag, parses_tags) {
    const auto strong = parse_etag("\"a-b\"");
    ASSERT_TRUE(strong);
    EXPECT_EQ(strong->opaque, "a-b");
    EXPECT_FALSE(strong->weak);
    const auto weak = parse_etag("W/\"\"");
    ASSERT_TRUE(weak);
    EXPECT_EQ(weak->opaque, "");
    EXPECT_TRUE(weak->weak);
    EXPECT_TRUE(parse_etag("\"\xc3\xa9,;\\!\""));
    for (const char* bad :
         {"", "a", "\"", "\"a", "a\"", "w/\"a\"", "W/a", "W/", "\"a\"b", " \"a\"", "\"a b\"", "\"a\"\"", "*"}) {
        EXPECT_FALSE(parse_etag(bad)) << bad;
    }
}

// The table of RFC 9110 section 8.8.3.2.
TEST(Etag, compares_strongly_and_weakly) {
    const entity_tag one{"1", false};
    const entity_tag weak_one{"1", true};
    const entity_tag weak_two{"2", true};
    EXPECT_FALSE(is_strong_match(weak_one, weak_one));
    EXPECT_TRUE(is_weak_match(weak_one, weak_one));
    EXPECT_FALSE(is_weak_match(weak_one, weak_two));
    EXPECT_FALSE(is_strong_match(weak_one, one));
    EXPECT_TRUE(is_weak_match(weak_one, one));
    EXPECT_TRUE(is_strong_match(one, one));
}

TEST(Etag, searches_lists) {
    const entity_tag b{"b", false};
    for (const char* list :
         {"\"b\"", "\"a\", \"b\"", "\"a\",\"b\"", ",\"b\",", " \"b\" ", "*", "\"b\" junk", "\"b,\" , \"b\""}) {
        EXPECT_TRUE(etag_list_contains(list, b, is_strong_match)) << list;
    }
    for (const char* list : {"", "b", "\"a\"", "\"a\" \"b\"", "W/\"b\"", "junk, \"b\"", "\"a,\"b\"\"", "**"}) {
        EXPECT_FALSE(etag_list_contains(list, b, is_strong_match)) << list;
    }
    EXPECT_TRUE(etag_list_contains("W/\"b\"", b, is_weak_match));
}

TEST(Etag, makes_tags_of_files) {
    EXPECT_EQ(file_etag(255, 16), "\"ff-10\"");
    EXPECT_NE(file_etag(1, 2), file_etag(2, 1));
    EXPECT_TRUE(parse_etag(file_etag(0, -1)));
}

}  // namespace
}  // namespace rondo::http
