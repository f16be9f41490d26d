// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/media_type.hpp>

#include <vector>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

TEST(MediaType, parses_media_types) {
    const auto type = parse_media_type(" Text/HTML ; Charset=\"utf-8\";a=B ");
    ASSERT_TRUE(type);
    EXPECT_EQ(type->essence, "text/html");
    EXPECT_EQ(type->parameters, (std::vector<parameter>{{"charset", "utf-8"}, {"a", "B"}}));
    EXPECT_EQ(type->find("charset"), "utf-8");
    EXPECT_EQ(type->find("x"), std::nullopt);
    EXPECT_TRUE(parse_media_type("a/b;"));
    EXPECT_TRUE(parse_media_type("a/b ; ; c=d"));
    for (const char* bad : {"", "a", "/", "a/", "/b", "a/b/c", "a /b", "a/b c", "a/b;c", "a/b;=d", "a/b;c=", "a/b;c= d",
                            "a/b;c=\"d", "a/b;c=\"d\"e", "a/b;c=\"\\", "a/b,c/d", "a/b;c=\"\x01\""}) {
        EXPECT_FALSE(parse_media_type(bad)) << bad;
    }
}

TEST(MediaType, unescapes_quoted_strings) {
    const auto type = parse_media_type("a/b;c=\"x\\\"y\\\\z; ,\"");
    ASSERT_TRUE(type);
    EXPECT_EQ(type->find("c"), "x\"y\\z; ,");
}

TEST(MediaType, guesses_the_type_of_a_file) {
    EXPECT_EQ(media_type_for("index.html"), "text/html; charset=utf-8");
    EXPECT_EQ(media_type_for("/a/b.c/PHOTO.JPG"), "image/jpeg");
    EXPECT_EQ(media_type_for("a.tar.gz"), "application/gzip");
    EXPECT_EQ(media_type_for("a.7z"), "application/x-7z-compressed");
    EXPECT_EQ(media_type_for("a.zst"), "application/zstd");
    for (const char* name : {"", "html", "a.", "a.b/c", "a.unknown", "a.htmlhtmlhtmlhtmlhtml", "."}) {
        EXPECT_EQ(media_type_for(name), "application/octet-stream") << name;
    }
}

}  // namespace
}  // namespace rondo::http
