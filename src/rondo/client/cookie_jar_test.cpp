// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/cookie_jar.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>

#include <rondo/http/h1/response_parser.hpp>

namespace rondo {
namespace {

http::url url(const char* text) { return *http::url::parse(text); }

void store(cookie_jar& jar, const char* from, const std::string& line) {
    const std::string head = "HTTP/1.1 200 OK\r\nSet-Cookie: " + line + "\r\n\r\n";
    std::array<http::field_ref, 4> storage{};
    http::h1::received_head parsed{};
    ASSERT_TRUE(http::h1::parse_response_head(head, http::method::get, {}, storage, parsed).has_value());
    jar.store(url(from), parsed.view(head.data()));
}

std::string sent(const char* from, const std::string& line, const char* to) {
    cookie_jar jar;
    store(jar, from, line);
    return jar.value_for(url(to));
}

TEST(cookie_jar, hosts_and_domains) {
    EXPECT_EQ(sent("http://a.example.org/", "n=v", "http://a.example.org/"), "n=v");
    EXPECT_EQ(sent("http://a.example.org/", "n=v", "http://b.a.example.org/"), "");
    EXPECT_EQ(sent("http://a.example.org/", "n=v; Domain=example.org", "http://b.example.org/"), "n=v");
    EXPECT_EQ(sent("http://a.example.org/", "n=v; Domain=.Example.org", "http://example.org/"), "n=v");
    EXPECT_EQ(sent("http://a.example.org/", "n=v; Domain=example.org", "http://badexample.org/"), "");
    EXPECT_EQ(sent("http://a.example.org/", "n=v; Domain=other.org", "http://other.org/"), "");
    EXPECT_EQ(sent("http://a.example.org/", "n=v; Domain=org", "http://b.org/"), "");
    EXPECT_EQ(sent("http://10.0.0.1/", "n=v; Domain=0.0.1", "http://10.0.0.1/"), "");
}

TEST(cookie_jar, paths) {
    EXPECT_EQ(sent("http://a/x/y", "n=v", "http://a/x/z"), "n=v");
    EXPECT_EQ(sent("http://a/x/y", "n=v", "http://a/"), "");
    EXPECT_EQ(sent("http://a/x/y", "n=v; Path=/", "http://a/"), "n=v");
    EXPECT_EQ(sent("http://a/", "n=v; Path=/x", "http://a/x?q"), "n=v");
    EXPECT_EQ(sent("http://a/", "n=v; Path=/x", "http://a/xy"), "");
}

TEST(cookie_jar, secure_ones_stay_on_tls) {
    EXPECT_EQ(sent("https://a/", "n=v; Secure", "https://a/"), "n=v");
    EXPECT_EQ(sent("https://a/", "n=v; Secure", "http://a/"), "");
    EXPECT_EQ(sent("http://a/", "n=v; Secure", "https://a/"), "");
}

TEST(cookie_jar, ends_and_replacements) {
    EXPECT_EQ(sent("http://a/", "n=v; Max-Age=100; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://a/"), "n=v");
    EXPECT_EQ(sent("http://a/", "n=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://a/"), "");
    cookie_jar jar;
    store(jar, "http://a/", "n=1");
    store(jar, "http://a/", "m=2");
    store(jar, "http://a/", "n=3");
    EXPECT_EQ(jar.value_for(url("http://a/")), "m=2; n=3");
    store(jar, "http://a/", "n=; Max-Age=0");
    EXPECT_EQ(jar.value_for(url("http://a/")), "m=2");
    for (std::size_t i = 0; i < cookie_jar::most + 10; ++i) store(jar, "http://a/", "c" + std::to_string(i) + "=x");
    EXPECT_EQ(jar.size(), cookie_jar::most);
    jar.clear();
    EXPECT_EQ(jar.size(), 0u);
}

TEST(cookie_jar, what_is_none_is_passed_over) {
    for (const char* line : {"", "n", "=v", ";Path=/"}) EXPECT_EQ(sent("http://a/", line, "http://a/"), "") << line;
    EXPECT_EQ(sent("http://a/", "n=" + std::string(5000, 'x'), "http://a/"), "");
}

}  // namespace
}  // namespace rondo
