// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/url.hpp>

#include <gtest/gtest.h>

#include <string>

namespace rondo::http {
namespace {

std::string resolved(std::string_view base, std::string_view reference) {
    const auto to = url::parse(base)->resolve(reference);
    return to ? to->text() : "nothing";
}

TEST(Url, parses_all_components) {
    const auto u = url::parse("HTTP://us%40er:p%3Aw@Example.ORG:8080/a/b?c=d#e");
    ASSERT_TRUE(u);
    EXPECT_EQ(u->scheme, "http");
    EXPECT_EQ(u->user, "us@er");
    EXPECT_EQ(u->password, "p:w");
    EXPECT_EQ(u->host, "example.org");
    EXPECT_EQ(u->port, 8080);
    EXPECT_EQ(u->target, "/a/b?c=d");
    EXPECT_EQ(u->authority(), "example.org:8080");
    EXPECT_EQ(u->text(), "http://example.org:8080/a/b?c=d");
}

TEST(Url, defaults_the_port_by_scheme) {
    EXPECT_EQ(url::parse("https://a")->port, 443);
    EXPECT_EQ(url::parse("https://a:443/")->authority(), "a");
    EXPECT_EQ(url::parse("https://a:80/")->authority(), "a:80");
    EXPECT_EQ(url::parse("http://a?x")->target, "/?x");
    EXPECT_EQ(url::parse("http://[::1]:81/")->host, "::1");
    EXPECT_EQ(url::parse("http://[::1]:81/")->authority(), "[::1]:81");
    EXPECT_EQ(url::parse("http://a/")->origin(), "http://a:80");
}

TEST(Url, parses_a_unix_socket) {
    const auto u = url::parse("http+unix://%2Frun%2Fapp.sock/x");
    ASSERT_TRUE(u);
    EXPECT_EQ(u->unix_path, "/run/app.sock");
    EXPECT_EQ(u->target, "/x");
    EXPECT_EQ(u->authority(), "localhost");
    EXPECT_EQ(u->text(), "http+unix://%2Frun%2Fapp.sock/x");
}

TEST(Url, rejects_invalid_urls) {
    for (const char* text : {"", "/a", "ftp://a/", "http:/a", "http://", "http:///a", "http://a:0/", "http://a:99999/",
                             "http://a b/", "http://a/\r\nX: y", "http://a/\x01", "http+unix:///x", "http://%zz@a/"})
        EXPECT_FALSE(url::parse(text)) << text;
}

TEST(Url, encodes_disallowed_bytes) {
    EXPECT_EQ(url::parse("http://a/b c\"\xc3\xa9?d e%20%zz")->target, "/b%20c%22%C3%A9?d%20e%20%25zz");
}

TEST(Url, resolves_references_per_rfc_3986) {
    const char* base = "http://u:p@a:81/b/c/d?q";
    EXPECT_EQ(resolved(base, "g"), "http://a:81/b/c/g");
    EXPECT_EQ(resolved(base, "/g"), "http://a:81/g");
    EXPECT_EQ(resolved(base, "?y"), "http://a:81/b/c/d?y");
    EXPECT_EQ(resolved(base, "g?y#s"), "http://a:81/b/c/g?y");
    EXPECT_EQ(resolved(base, "#s"), "http://a:81/b/c/d?q");
    EXPECT_EQ(resolved(base, "../g"), "http://a:81/b/g");
    EXPECT_EQ(resolved(base, "../../../g"), "http://a:81/g");
    EXPECT_EQ(resolved(base, "."), "http://a:81/b/c/");
    EXPECT_EQ(resolved(base, "//h/x"), "http://h/x");
    EXPECT_EQ(resolved(base, "https://h"), "https://h/");
    EXPECT_EQ(resolved(base, "a:b/c"), "nothing");
    EXPECT_EQ(resolved(base, "/a:b"), "http://a:81/a:b");
    EXPECT_EQ(resolved(base, "/\n"), "nothing");
}

TEST(Url, rejects_references_with_credentials) {
    const auto base = url::parse("http://u:p@a:81/b");
    for (const char* to : {"http://x:y@a:81/", "http://u:p@a:81/", "http://x@h/", "https://:y@h/", "HTTP://x:y@h/",
                           "//x:y@h/", "//x@a:81/", "http://x%3Ay@h/", "http://good.example@evil.example/"})
        EXPECT_EQ(resolved("http://u:p@a:81/b", to), "nothing") << to;
    EXPECT_EQ(base->resolve("http://a:81/@c")->user, "");
    EXPECT_EQ(base->resolve("//a:81/c")->user, "");
    EXPECT_EQ(base->resolve("/x:y@c")->user, "u");
}

TEST(Url, rejects_references_to_a_unix_socket) {
    for (const char* from : {"http://a/", "https://a/", "http+unix://%2Frun%2Fa.sock/"}) {
        for (const char* to : {"http+unix://%2Frun%2Fa.sock/", "HTTP+Unix://%2Frun%2Fb.sock/x", "http+unix://b.sock",
                               "http+unix://u:p@%2Frun%2Fb.sock/", "http+unix:%2Frun%2Fb.sock", "unix:/run/b.sock",
                               "unix:///run/b.sock", "http+unix://%00name/", "http%2Bunix://%2Frun%2Fb.sock/",
                               "https+unix://%2Frun%2Fb.sock/", "file:///run/b.sock", "fd://3"})
            EXPECT_EQ(resolved(from, to), "nothing") << from << " " << to;
        EXPECT_EQ(url::parse(from)->resolve("//%2Frun%2Fb.sock/")->unix_path, "") << from;
    }
    EXPECT_EQ(url::parse("http+unix://%2Frun%2Fa.sock/x")->resolve("y")->unix_path, "/run/a.sock");
}

}  // namespace
}  // namespace rondo::http
