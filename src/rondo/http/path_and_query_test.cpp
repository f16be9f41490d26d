// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/path_and_query.hpp>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/http/urlencoded_form.hpp>

namespace rondo::http {
namespace {

std::vector<query_pair> pairs_of(std::string_view query) {
    std::vector<query_pair> out;
    for (const query_pair& pair : query_pairs(query)) out.push_back(pair);
    return out;
}

TEST(PathAndQuery, decodes_a_path) {
    EXPECT_EQ(decode_path("/a%20b/%C3%A9"), "/a b/\xc3\xa9");
    EXPECT_EQ(decode_path("/a+b"), "/a+b");
    EXPECT_EQ(decode_path("/%252e"), "/%2e") << "decoded once";
    EXPECT_EQ(decode_path("/%2F"), "//");
    for (const char* bad : {"/%00", "/a%", "/a%4", "/a%4g", "/%%41"}) EXPECT_EQ(decode_path(bad), std::nullopt) << bad;
    EXPECT_EQ(decode_path(std::string("/a\0b", 4)), std::nullopt);
}

TEST(PathAndQuery, normalizes_a_path) {
    EXPECT_EQ(normalizations_of("/a/b%41/c.d"), 0u);
    EXPECT_EQ(normalizations_of("/a%2Fb"), unsigned{decode_slashes});
    EXPECT_EQ(normalizations_of("/a%252Fb"), 0u);
    EXPECT_EQ(normalizations_of("/a\\b"), unsigned{backslash_is_slash});
    EXPECT_EQ(normalizations_of("/a%5cb"), unsigned{backslash_is_slash});
    EXPECT_EQ(normalizations_of("//a"), unsigned{merge_slashes});
    EXPECT_EQ(normalizations_of("/%2fa"), unsigned{decode_slashes} | merge_slashes);
    EXPECT_EQ(normalizations_of("/a;b"), unsigned{strip_parameters});
    EXPECT_EQ(normalize_path("//a%2Fb\\c;d/e%3Bf%41", 0), "//a%2Fb\\c;d/e%3Bf%41");
    EXPECT_EQ(normalize_path("//a%2Fb\\c;d/e%3Bf%41", all_path_normalizations), "/a/b/c/e");
    EXPECT_EQ(normalize_path("//a%2Fb\\c;d", merge_slashes), "/a%2Fb\\c;d");
    EXPECT_EQ(normalize_path("/a%2Fb%2", decode_slashes), "/a/b%2");
    EXPECT_EQ(normalize_path("///a//b;x/c/d", merge_slashes | strip_parameters, 3), "/a/b/");
    EXPECT_EQ(normalize_path("/a;b", strip_parameters, 3), "/a");
}

TEST(PathAndQuery, a_segment_of_only_a_parameter_may_become_empty) {
    const unsigned vanish = unsigned{strip_parameters} | merge_slashes;
    for (const char* path : {"/;/a", "/;x=1/a", "/%3b/a", "/%3B;/a", "/a/;", "/a/;x", "/a/%3bx", "/;a", "/a;/;/b"})
        EXPECT_EQ(normalizations_of(path) & ~strip_parameters_first, vanish) << path;
    EXPECT_EQ(normalizations_of("/a\\;/b"), vanish | backslash_is_slash | strip_parameters_first);
    EXPECT_EQ(normalizations_of("/a;/b;c=;d"), unsigned{strip_parameters}) << "no segment without a name";
    for (const char* path : {"/;/a", "/;x=1/a", "/%3b/a", "/;a=/;/;b/a", "/a;/", "//;//a"})
        EXPECT_EQ(normalize_path(path, vanish).substr(0, 2), "/a") << path;
    EXPECT_EQ(normalize_path("/;x/..;/a", vanish), "/../a");
    EXPECT_EQ(normalize_path("/a/;x", vanish), "/a/");
}

// Some programs strip parameters and then decode, others decode first.
TEST(PathAndQuery, strips_parameters_before_or_after_decoding) {
    const unsigned first = unsigned{strip_parameters_first} | decode_slashes | backslash_is_slash;
    EXPECT_EQ(normalizations_of("/a;b%2fc/d"), unsigned{strip_parameters} | decode_slashes | strip_parameters_first);
    EXPECT_EQ(normalizations_of("/a;b%3bc"), unsigned{strip_parameters} | strip_parameters_first);
    EXPECT_EQ(normalizations_of("/a%3bb%2fc"), unsigned{strip_parameters} | decode_slashes);
    EXPECT_EQ(normalize_path("/a;b%2fc/d%2fe", first), "/a/d/e");
    EXPECT_EQ(normalize_path("/a;b%2fc/d%2fe", unsigned{strip_parameters} | decode_slashes), "/a/c/d/e");
    EXPECT_EQ(normalize_path("/a;b\\c/d\\e", first), "/a/d/e");
    EXPECT_EQ(normalize_path("/a;b/%3bc", strip_parameters_first), "/a/%3bc");
    EXPECT_EQ(normalize_path("/a;b", first), "/a");
    EXPECT_EQ(normalize_path(";", first), "");
}

// The examples of RFC 3986 sections 5.2.4 and 5.4, and the ways to climb out.
TEST(PathAndQuery, removes_dot_segments) {
    const std::vector<std::pair<const char*, const char*>> cases = {
        {"/a/b/c/./../../g", "/a/g"},
        {"/", "/"},
        {"", ""},
        {"/.", "/"},
        {"/..", "/"},
        {"/./", "/"},
        {"/../", "/"},
        {"/../../x", "/x"},
        {"/a/..", "/"},
        {"/a/../", "/"},
        {"/a/.", "/a/"},
        {"/a/./", "/a/"},
        {"/a/b/..", "/a/"},
        {"/a/b/../c", "/a/c"},
        {"/a//b", "/a//b"},
        {"/a//..", "/a/"},
        {"/a//../b", "/a/b"},
        {"/...", "/..."},
        {"/a./.b", "/a./.b"},
        {"//x", "//x"},
        {"/a/../../b", "/b"},
        {"mid/content=5/../6", "mid/6"},
    };
    for (const auto& [path, expected] : cases) EXPECT_EQ(remove_dot_segments(path), expected) << path;
}

TEST(PathAndQuery, parses_query_pairs) {
    EXPECT_EQ(pairs_of("a=1&b=2"), (std::vector<query_pair>{{"a", "1"}, {"b", "2"}}));
    EXPECT_EQ(pairs_of("a+b=c%26d%3D&%41"), (std::vector<query_pair>{{"a b", "c&d="}, {"A", ""}}));
    EXPECT_EQ(pairs_of("&&a=b=c&&=x&"), (std::vector<query_pair>{{"a", "b=c"}, {"", "x"}}));
    EXPECT_EQ(pairs_of("a=%zz%4"), (std::vector<query_pair>{{"a", "%zz%4"}})) << "an incomplete escape is literal";
    EXPECT_EQ(pairs_of(""), (std::vector<query_pair>{}));
    EXPECT_EQ(pairs_of("&"), (std::vector<query_pair>{}));
    EXPECT_EQ(query_pairs("x=1&y=2&x=3").find("x"), "1");
    EXPECT_EQ(query_pairs("x=1").find("y"), std::nullopt);
}

TEST(PathAndQuery, appends_query_pairs) {
    std::string query;
    append_query_pair(query, "a b", "c&d=\xc3\xa9+");
    append_query_pair(query, "x", "");
    EXPECT_EQ(query, "a%20b=c%26d%3D%C3%A9%2B&x=");
    EXPECT_EQ(pairs_of(query), (std::vector<query_pair>{{"a b", "c&d=\xc3\xa9+"}, {"x", ""}}));
}

TEST(UrlencodedForm, decodes_pairs) {
    const auto pairs = parse_urlencoded("name=J%C3%B6rg&text=a+b%0D%0Ac&empty=");
    ASSERT_TRUE(pairs);
    EXPECT_EQ(*pairs, (std::vector<query_pair>{{"name", "J\xc3\xb6rg"}, {"text", "a b\r\nc"}, {"empty", ""}}));
}

TEST(UrlencodedForm, limits_the_number_of_pairs) {
    EXPECT_TRUE(parse_urlencoded("a&b&c", {.pairs = 3}));
    const auto refused = parse_urlencoded("a&b&c&d", {.pairs = 3});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error(), form_error::too_many_pairs);
}

}  // namespace
}  // namespace rondo::http
