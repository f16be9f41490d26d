// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/cookie.hpp>

#include <array>
#include <functional>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

std::string cookies_of(std::string_view value) {
    std::string out;
    for (const field pair : cookie_pairs(value))
        out += "[" + std::string(pair.name) + "|" + std::string(pair.value) + "]";
    return out;
}

TEST(Cookie, parses_pairs) {
    EXPECT_EQ(cookies_of("a=1; b=2"), "[a|1][b|2]");
    EXPECT_EQ(cookies_of("a=1;b=\"x y\" ; c = d=e ;;f;=g; h="), "[a|1][b|x y][c|d=e][h|]");
    EXPECT_EQ(cookies_of("a=\""), "[a|\"]");
    EXPECT_EQ(cookies_of("a=\"\""), "[a|]");
    EXPECT_EQ(cookies_of(""), "");
    EXPECT_EQ(cookies_of(";;;"), "");
}

TEST(Cookie, finds_in_several_lines) {
    const std::string_view text = "Cookie: a=1; b=2\r\ncookie: a=3; C=4\r\n";
    const std::array<field_ref, 2> refs = {{{{0, 6}, {8, 8}}, {{18, 6}, {26, 8}}}};
    const fields_view view(text.data(), refs);
    EXPECT_EQ(find_cookie(view, "a"), "1");
    EXPECT_EQ(find_cookie(view, "C"), "4");
    EXPECT_EQ(find_cookie(view, "c"), std::nullopt);
}

TEST(Cookie, writes_set_cookie) {
    EXPECT_EQ(to_string(set_cookie{.name = "a", .value = "b"}), "a=b; Path=/; HttpOnly; SameSite=Lax");
    EXPECT_EQ(
        to_string(set_cookie{.name = "a", .value = "", .path = "", .same_site = same_site::unset, .http_only = false}),
        "a=");
    EXPECT_EQ(to_string(set_cookie{
                  .name = "__Host-s", .value = "x", .max_age = 60, .same_site = same_site::strict, .secure = true}),
              "__Host-s=x; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=Strict");
    EXPECT_EQ(to_string(set_cookie{.name = "a",
                                   .value = "b",
                                   .path = "/x",
                                   .domain = "example.com",
                                   .expires = 0,
                                   .same_site = same_site::none,
                                   .http_only = false,
                                   .secure = true}),
              "a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Domain=example.com; Path=/x; Secure; SameSite=None");
}

TEST(Cookie, rejects_invalid_cookies) {
    const auto expect_rejected = [](const std::function<void(set_cookie&)>& change) {
        set_cookie cookie{.name = "a", .value = "b"};
        change(cookie);
        EXPECT_THROW((void)to_string(cookie), std::invalid_argument);
    };
    for (const char* name : {"", "a b", "a=b", "a;b", "a\n", "\xc3\xa9"})
        expect_rejected([&](set_cookie& c) { c.name = name; });
    for (const char* value : {"a b", "a;b", "a,b", "\"a\"", "a\\b", "a\r\nX: y", "\xc3\xa9", "\x7f"}) {
        expect_rejected([&](set_cookie& c) { c.value = value; });
    }
    expect_rejected([](set_cookie& c) { c.path = "/;Secure"; });
    expect_rejected([](set_cookie& c) { c.domain = "a\r\n"; });
    expect_rejected([](set_cookie& c) { c.same_site = same_site::none; });
    expect_rejected([](set_cookie& c) { c.name = "__Secure-a"; });
    expect_rejected([](set_cookie& c) { c.name = "__host-a"; });
    expect_rejected([](set_cookie& c) { c.name = "__Host-a", c.secure = true, c.path = "/x"; });
    expect_rejected([](set_cookie& c) { c.name = "__Host-a", c.secure = true, c.domain = "a"; });
}

}  // namespace
}  // namespace rondo::http
