// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/cookie_jar.hpp>

#include <gtest/gtest.h>

#include <array>
#include <ctime>
#include <initializer_list>
#include <optional>
#include <string>

#include <rondo/client/cookie.hpp>
#include <rondo/client/public_suffix.hpp>
#include <rondo/http/h1/response_parser.hpp>

namespace rondo {
namespace {

http::url url(const std::string& text) { return *http::url::parse(text); }

void store(cookie_jar& jar, const std::string& from, const std::string& line) {
    const std::string head = "HTTP/1.1 200 OK\r\nSet-Cookie: " + line + "\r\n\r\n";
    std::array<http::field_ref, 4> storage{};
    http::h1::received_head parsed{};
    ASSERT_TRUE(http::h1::parse_response_head(head, http::method::get, {}, storage, parsed).has_value());
    jar.store(url(from), parsed.view(head.data()));
}

std::string sent(const char* from, const std::string& line, const char* to) {
    cookie_jar jar;
    store(jar, from, line);
    return jar.cookie_header(url(to));
}

TEST(CookieJar, matches_hosts_and_domains) {
    EXPECT_EQ(sent("http://a.example.org/", "n=v", "http://a.example.org/"), "n=v");
    EXPECT_EQ(sent("http://a.example.org/", "n=v", "http://b.a.example.org/"), "");
    EXPECT_EQ(sent("http://a.example.org/", "n=v; Domain=example.org", "http://b.example.org/"), "n=v");
    EXPECT_EQ(sent("http://a.example.org/", "n=v; Domain=.Example.org", "http://example.org/"), "n=v");
    EXPECT_EQ(sent("http://a.example.org/", "n=v; Domain=example.org", "http://badexample.org/"), "");
    EXPECT_EQ(sent("http://a.example.org/", "n=v; Domain=other.org", "http://other.org/"), "");
    EXPECT_EQ(sent("http://a.example.org/", "n=v; Domain=b.a.example.org", "http://b.a.example.org/"), "");
    EXPECT_EQ(sent("http://a.example.org/", "n=v; Domain=org", "http://b.org/"), "");
    EXPECT_EQ(sent("http://10.0.0.1/", "n=v; Domain=0.0.1", "http://10.0.0.1/"), "");
    EXPECT_EQ(sent("http://.a.example.org/", "n=v; Domain=.example.org", "http://.a.example.org/"), "n=v");
    EXPECT_EQ(sent("http://.example.org/", "n=v; Domain=example.org", "http://b.example.org/"), "n=v");
    EXPECT_EQ(sent("http://.org/", "n=v; Domain=org", "http://b.org/"), "");
}

TEST(CookieJar, the_last_domain_wins_and_an_empty_one_is_ignored) {
    const std::string both = "n=v; Domain=other.org; Domain=example.org";
    EXPECT_EQ(sent("http://a.example.org/", both, "http://b.example.org/"), "n=v");
    for (const char* none : {"n=v; Domain", "n=v; Domain=", "n=v; Domain=.", "n=v; Domain=example.org; Domain="}) {
        EXPECT_EQ(sent("http://a.example.org/", none, "http://a.example.org/"), "n=v") << none;
        EXPECT_EQ(sent("http://a.example.org/", none, "http://b.a.example.org/"), "") << none;
    }
    for (const char* wrong : {"..example.org", "example.org.", "example..org", "*.example.org", "example.org:80",
                              "http://example.org", "ample.org"})
        EXPECT_EQ(sent("http://a.example.org/", std::string("n=v; Domain=") + wrong, "http://a.example.org/"), "")
            << wrong;
}

TEST(CookieJar, refuses_a_public_suffix_as_domain) {
    for (const char* suffix : {"co.uk", "CO.UK", ".co.uk", "co.uk.", "uk", "com", "github.io", "s3.amazonaws.com",
                               "kawasaki.jp", "a.kawasaki.jp", "unheardof", "a.ck"}) {
        const std::string at = suffix[0] == '.' ? suffix + 1 : suffix;
        const std::string line = std::string("s=1; Path=/; Domain=") + suffix;
        EXPECT_EQ(sent(("https://evil." + at + "/").c_str(), line, ("https://bank." + at + "/").c_str()), "") << suffix;
    }
    EXPECT_EQ(sent("http://www.ck/", "n=v; Domain=www.ck", "http://a.www.ck/"), "n=v") << "an exception in the list";
    EXPECT_EQ(sent("http://a.bank.co.uk/", "n=v; Domain=bank.co.uk", "http://bank.co.uk/"), "n=v");
    // A public suffix with its own server has host-only cookies.
    EXPECT_EQ(sent("https://github.io/", "n=v; Domain=github.io", "https://github.io/"), "n=v");
    EXPECT_EQ(sent("https://github.io/", "n=v; Domain=github.io", "https://a.github.io/"), "");
    EXPECT_EQ(sent("http://localhost/", "n=v; Domain=localhost", "http://localhost/"), "n=v");
}

TEST(CookieJar, addresses_have_no_subdomains) {
    for (const char* host : {"10.0.0.1", "[::1]", "0x7f.0x0.0x0.0x1", "127.1"}) {
        const std::string at = std::string("http://") + host + "/";
        EXPECT_EQ(sent(at.c_str(), "n=v", at.c_str()), "n=v") << host;
    }
    EXPECT_EQ(sent("http://10.0.0.1/", "n=v; Domain=10.0.0.1", "http://10.0.0.1/"), "n=v");
    EXPECT_EQ(sent("http://10.0.0.1/", "n=v; Domain=.10.0.0.1", "http://9.10.0.0.1/"), "");
    EXPECT_EQ(sent("http://0x7f.0x0.0x0.0xa/", "n=v; Domain=0x0.0x0.0xa", "http://0x8f.0x0.0x0.0xa/"), "");
    EXPECT_EQ(sent("http://10.0.0.1./", "n=v; Domain=0.0.1", "http://11.0.0.1/"), "");
}

TEST(CookieJar, separates_unix_sockets) {
    const char* a = "http+unix://%2Frun%2Fa.sock/";
    EXPECT_EQ(sent(a, "n=v", a), "n=v");
    for (const char* line : {"n=v", "n=v; Domain=localhost", "n=v; Domain="}) {
        EXPECT_EQ(sent(a, line, a), "n=v") << line;
        for (const char* other : {"http+unix://%2Frun%2Fb.sock/", "http://localhost/", "http://run/"})
            EXPECT_EQ(sent(a, line, other), "") << line << other;
    }
    EXPECT_EQ(sent("http://localhost/", "n=v", a), "");
    EXPECT_EQ(sent(a, "n=v; Domain=example.org", "http://example.org/"), "");
    EXPECT_EQ(sent("http+unix://%2Frun%2Fa.example.org/", "n=v; Domain=example.org", "http://example.org/"), "");
}

TEST(CookieJar, matches_paths) {
    EXPECT_EQ(sent("http://a/x/y", "n=v", "http://a/x/z"), "n=v");
    EXPECT_EQ(sent("http://a/x/y", "n=v", "http://a/"), "");
    EXPECT_EQ(sent("http://a/x/y?/z/", "n=v", "http://a/x"), "n=v");
    EXPECT_EQ(sent("http://a/x/y", "n=v; Path=/", "http://a/"), "n=v");
    EXPECT_EQ(sent("http://a/", "n=v; Path=/x", "http://a/x?q"), "n=v");
    EXPECT_EQ(sent("http://a/", "n=v; Path=/x", "http://a/xy"), "");
    EXPECT_EQ(sent("http://a/", "n=v; Path=/x/", "http://a/x"), "");
    EXPECT_EQ(sent("http://a/x/y", "n=v; Path=z", "http://a/x/"), "n=v") << "the default";
    EXPECT_EQ(sent("http://a/x/y", "n=v; Path=/; Path=", "http://a/"), "") << "the last one wins";
    EXPECT_EQ(sent("http://a/x/y", "n=v; Path=/z; Path=/", "http://a/"), "n=v");
}

TEST(CookieJar, sends_longer_paths_first_then_older_cookies) {
    cookie_jar jar;
    store(jar, "http://a/", "one=1; Path=/");
    store(jar, "http://a/", "two=2; Path=/");
    store(jar, "http://a/", "far=3; Path=/x");
    store(jar, "http://a/", "one=4; Path=/");
    EXPECT_EQ(jar.cookie_header(url("http://a/x")), "far=3; one=4; two=2");
}

TEST(CookieJar, sends_secure_cookies_only_over_tls) {
    EXPECT_EQ(sent("https://a/", "n=v; Secure", "https://a/"), "n=v");
    EXPECT_EQ(sent("https://a/", "n=v; Secure", "http://a/"), "");
    EXPECT_EQ(sent("http://a/", "n=v; Secure", "https://a/"), "");
    EXPECT_EQ(sent("http://a/", "n=v; secure=no", "https://a/"), "");
}

TEST(CookieJar, does_not_replace_secure_cookies_without_tls) {
    for (const char* line :
         {"n=evil", "n=evil; Path=/login", "n=evil; Path=/login/x", "n=evil; Domain=example.org; Path=/login",
          "n=; Max-Age=0; Path=/login", "n=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/login"}) {
        cookie_jar jar;
        store(jar, "https://a.example.org/", "n=good; Secure; Path=/login");
        store(jar, "http://a.example.org/login/", line);
        EXPECT_EQ(jar.cookie_header(url("https://a.example.org/login/x")), "n=good") << line;
    }
    for (const char* line : {"n=other; Path=/", "m=other; Path=/login"}) {
        cookie_jar jar;
        store(jar, "https://a.example.org/", "n=good; Secure; Path=/login");
        store(jar, "http://a.example.org/", line);
        EXPECT_EQ(jar.size(), 2u) << line;
    }
    cookie_jar jar;
    store(jar, "https://example.org/", "n=good; Secure; Domain=example.org; Path=/");
    store(jar, "http://a.example.org/", "n=evil; Path=/");
    EXPECT_EQ(jar.cookie_header(url("https://a.example.org/")), "n=good") << "set by a subdomain";
    store(jar, "https://example.org/", "n=new; Domain=example.org; Path=/");
    EXPECT_EQ(jar.cookie_header(url("http://example.org/")), "n=new") << "replaced over TLS";
}

TEST(CookieJar, enforces_name_prefixes) {
    const char* tls = "https://a.example.org/";
    for (const char* name : {"__Secure-n", "__secure-n", "__SECURE-n"}) {
        const std::string n = name;
        EXPECT_EQ(sent(tls, n + "=v; Secure", tls), n + "=v");
        EXPECT_EQ(sent(tls, n + "=v; Secure; Domain=example.org", "https://example.org/"), n + "=v");
        EXPECT_EQ(sent(tls, n + "=v", tls), "");
        EXPECT_EQ(sent("http://a.example.org/", n + "=v", tls), "");
        EXPECT_EQ(sent("http://a.example.org/", n + "=v; Secure", tls), "");
    }
    for (const char* name : {"__Host-n", "__host-n", "__HOST-n"}) {
        const std::string n = name;
        EXPECT_EQ(sent(tls, n + "=v; Secure; Path=/", tls), n + "=v");
        for (const char* wrong : {"=v", "=v; Path=/", "=v; Secure", "=v; Secure; Path=/x",
                                  "=v; Secure; Path=", "=v; Secure; Path=/; Domain=a.example.org",
                                  "=v; Secure; Path=/; Domain=example.org", "=v; Secure; Path=/; Path=/x"})
            EXPECT_EQ(sent(tls, n + wrong, "https://a.example.org/x"), "") << n << wrong;
        EXPECT_EQ(sent("http://a.example.org/", n + "=v; Path=/", tls), "");
    }
    // The value of a nameless cookie would be read as name and value.
    EXPECT_EQ(sent("http://a.example.org/", "=__Host-n=v; Path=/", tls), "");
    EXPECT_EQ(sent("http://a.example.org/", "__Host-n", tls), "");
}

TEST(CookieJar, expires_and_replaces) {
    EXPECT_EQ(sent("http://a/", "n=v; Max-Age=100; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://a/"), "n=v");
    EXPECT_EQ(sent("http://a/", "n=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=100", "http://a/"), "n=v");
    EXPECT_EQ(sent("http://a/", "n=v; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "http://a/"), "");
    EXPECT_EQ(sent("http://a/", "n=v; Expires=Thu, 01 Jan 2099 00:00:00 GMT; Max-Age=0", "http://a/"), "");
    cookie_jar jar;
    store(jar, "http://a/", "n=1");
    store(jar, "http://a/", "m=2");
    store(jar, "http://a/", "n=3");
    EXPECT_EQ(jar.cookie_header(url("http://a/")), "n=3; m=2");
    store(jar, "http://a/", "n=; Max-Age=0");
    EXPECT_EQ(jar.cookie_header(url("http://a/")), "m=2");
    store(jar, "http://a/", "m=; Max-Age=-1");
    EXPECT_EQ(jar.size(), 0u);
    store(jar, "http://a/", "m=2");
    jar.clear();
    EXPECT_EQ(jar.size(), 0u);
}

TEST(CookieJar, parses_max_age) {
    const std::string nines(60, '9');
    for (const char* age : {"1", "0001", "99999999999999999999", nines.c_str(), "9223372036854775807", " 5 "})
        EXPECT_EQ(sent("http://a/", std::string("n=v; Max-Age=") + age, "http://a/"), "n=v") << age;
    for (const std::string& age : {std::string("0"), std::string("-1"), std::string("-0"), "-" + nines})
        EXPECT_EQ(sent("http://a/", "n=v; Max-Age=" + age, "http://a/"), "") << age;
    const std::string past = "; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    for (const char* age : {"", "x", "1x", "+1", "1.5", "--1", "-", "0x10", "1 0"}) {
        EXPECT_EQ(sent("http://a/", std::string("n=v; Max-Age=") + age, "http://a/"), "n=v") << age;
        EXPECT_EQ(sent("http://a/", std::string("n=v; Max-Age=") + age + past, "http://a/"), "") << age;
    }
    EXPECT_EQ(sent("http://a/", "n=v; Max-Age=5; Max-Age=0", "http://a/"), "") << "the last one wins";
}

TEST(CookieJar, limits_the_lifetime) {
    const http::unix_seconds now = 1'000'000'000;
    const auto end = [](const std::string& line) {
        return detail::parse_set_cookie(url("http://a/"), line, now)->expires;
    };
    EXPECT_EQ(end("n=v; Max-Age=60"), now + 60);
    EXPECT_EQ(end("n=v; Max-Age=99999999999"), now + 400 * 24 * 3600);
    EXPECT_EQ(end("n=v; Expires=Fri, 31 Dec 9999 23:59:59 GMT"), now + 400 * 24 * 3600);
}

TEST(CookieJar, parses_dates) {
    const http::unix_seconds expected = 784111777;
    for (const char* text :
         {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
          "06 Nov 1994 08:49:37", "6-nov-1994 8:49:37", "Sun, 06-NOV-1994 08:49:37 UTC", "1994 Nov 06 08:49:37",
          "08:49:37 06 November 94", "08:49:37,1994/nOvember/6", "Nov/6/94;08:49:37", "Sun,06 Nov 1994 08:49:37GMT",
          "06 Nov 094 08:49:37", "  06  Nov\t1994  08:49:37 +0200", "06 Nov 1994 08:49:37.123",
          "Wed, 6th Nov 1994th 08:49:37Z"})
        EXPECT_EQ(detail::parse_cookie_date(text), expected) << text;
    EXPECT_EQ(detail::parse_cookie_date("Thu, 01-Jan-70 00:00:01 GMT"), 1);
    EXPECT_EQ(detail::parse_cookie_date("01 Jan 69 00:00:00"), 3124224000) << "2069";
    EXPECT_EQ(detail::parse_cookie_date("29 Feb 2000 23:59:59"), 951868799);
    EXPECT_EQ(detail::parse_cookie_date("01 Jan 1601 00:00:00"), -11644473600);
    EXPECT_EQ(detail::parse_cookie_date("31 Dec 9999 23:59:59"), 253402300799);
    for (const char* text :
         {"", "0", "tomorrow", "06 Nov 1994", "06 Nov 08:49:37", "Nov 1994 08:49:37", "06 1994 08:49:37",
          "06 Nov 1600 08:49:37", "06 Nov 19945 08:49:37", "32 Nov 1994 08:49:37", "00 Nov 1994 08:49:37",
          "31 Nov 1994 08:49:37", "29 Feb 1999 00:00:00", "06 Nov 1994 24:00:00", "06 Nov 1994 08:60:00",
          "06 Nov 1994 08:49:60", "06 Nov 1994 08:49", "06 Nov 1994 008:49:37", "06 No 1994 08:49:37"})
        EXPECT_EQ(detail::parse_cookie_date(text), std::nullopt) << text;
    EXPECT_EQ(sent("http://a/", "n=v; Expires=Wdy, 09-Nov-99 23:12:40 GMT", "http://a/"), "");
    EXPECT_EQ(sent("http://a/", "n=v; Expires=Wdy, 09-Nov-2098 23:12:40 GMT", "http://a/"), "n=v");
    EXPECT_EQ(sent("http://a/", "n=v; Expires=never", "http://a/"), "n=v");
}

TEST(CookieJar, limits_sizes) {
    const std::string at_most(cookie_jar::max_cookie_bytes - 1, 'x');
    EXPECT_EQ(sent("http://a/", "n=" + at_most + "; Path=/; Max-Age=1000000", "http://a/").size(), 4097u);
    EXPECT_EQ(sent("http://a/", "n=" + at_most + "x", "http://a/"), "");
    EXPECT_EQ(sent("http://a/", at_most + "x=y", "http://a/"), "");
    const std::string large = "/" + std::string(cookie_jar::max_attribute_bytes, 'x');
    EXPECT_EQ(sent("http://a/", "n=v; Path=" + large, "http://a/"), "n=v") << "the attribute is ignored";
    EXPECT_EQ(sent("http://a/", "n=v; Max-Age=" + std::string(1025, '0'), "http://a/"), "n=v");
    EXPECT_EQ(sent(("http://a" + large + "/").c_str(), "n=v", ("http://a" + large + "/").c_str()), "");
}

TEST(CookieJar, ignores_invalid_cookies) {
    for (const char* line : {"", "n", "=v", ";Path=/", "=", " = ;"})
        EXPECT_EQ(sent("http://a/", line, "http://a/"), "") << line;
    EXPECT_EQ(sent("http://a/", "n=" + std::string(5000, 'x'), "http://a/"), "");
    for (const char c : {'\x01', '\r', '\n', '\x1f', '\x7f', '\0'})
        EXPECT_FALSE(detail::parse_set_cookie(url("http://a/"), std::string("n=a") + c + "b", 0)) << int(c);
    EXPECT_TRUE(detail::parse_set_cookie(url("http://a/"), "n=a\tb", 0));
    EXPECT_EQ(sent("http://a/", "n=\"v\"; HttpOnly; SameSite=Strict; Unknown=1;;", "http://a/"), "n=\"v\"");
}

// ---- limits ----

TEST(CookieJar, a_host_evicts_only_its_own) {
    cookie_jar jar;
    store(jar, "https://bank.example/", "session=good; Secure");
    store(jar, "http://other.evil.example/", "mine=1");
    for (int i = 0; i < 5000; ++i) store(jar, "http://a.evil.example/", "c" + std::to_string(i) + "=x");
    EXPECT_EQ(jar.size(), cookie_jar::max_cookies_per_host + 2);
    EXPECT_EQ(jar.cookie_header(url("https://bank.example/")), "session=good");
    EXPECT_EQ(jar.cookie_header(url("http://other.evil.example/")), "mine=1");
    EXPECT_NE(jar.cookie_header(url("http://a.evil.example/")).find("c4999=x"), std::string::npos)
        << "the oldest are evicted";
}

TEST(CookieJar, hosts_of_one_site_evict_neither_other_sites_nor_small_hosts) {
    cookie_jar jar;
    store(jar, "https://bank.co.uk/", "session=good; Secure");
    store(jar, "http://www.evil.co.uk/", "mine=1");
    for (int i = 0; i < 5000; ++i)
        store(jar, "http://h" + std::to_string(i % 500) + ".evil.co.uk/", "c" + std::to_string(i) + "=x");
    EXPECT_EQ(jar.size(), cookie_jar::max_cookies_per_site + 1);
    EXPECT_EQ(jar.cookie_header(url("https://bank.co.uk/")), "session=good");
    cookie_jar two;
    store(two, "http://www.evil.co.uk/", "mine=1");
    for (int i = 0; i < 500; ++i)
        store(two, "http://h" + std::to_string(i % 5) + ".evil.co.uk/", "c" + std::to_string(i) + "=x");
    EXPECT_EQ(two.cookie_header(url("http://www.evil.co.uk/")), "mine=1");
}

TEST(CookieJar, in_total_evicts_from_the_largest_site_then_the_least_recently_used) {
    cookie_jar jar;
    store(jar, "http://used.example/", "n=v");
    store(jar, "http://unused.example/", "n=v");
    const auto fill = [&jar](int sites, int cookies) {
        for (int s = 0; s < sites; ++s)
            for (int i = 0; i < cookies; ++i)
                store(jar, "http://" + std::string(i % 2 ? "a." : "b.") + "s" + std::to_string(s) + ".example/",
                      "c" + std::to_string(i) + "=x");
    };
    fill(40, 90);
    EXPECT_EQ(jar.size(), cookie_jar::max_cookies);
    EXPECT_EQ(jar.cookie_header(url("http://unused.example/")), "n=v");
    jar.clear();
    store(jar, "http://used.example/", "n=v");
    store(jar, "http://unused.example/", "n=v");
    for (std::size_t s = 0; s < cookie_jar::max_cookies; ++s) {
        store(jar, "http://t" + std::to_string(s) + ".example/", "n=x");
        if (s % 1000 == 0) EXPECT_EQ(jar.cookie_header(url("http://used.example/")), "n=v");
    }
    EXPECT_EQ(jar.size(), cookie_jar::max_cookies);
    EXPECT_EQ(jar.cookie_header(url("http://used.example/")), "n=v");
    EXPECT_EQ(jar.cookie_header(url("http://unused.example/")), "");
}

TEST(CookieJar, cookies_without_tls_do_not_evict_secure_ones) {
    cookie_jar jar;
    for (std::size_t i = 0; i < cookie_jar::max_cookies_per_host; ++i)
        store(jar, "https://a.example/", "s" + std::to_string(i) + "=x; Secure");
    for (int i = 0; i < 100; ++i) store(jar, "http://a.example/", "p" + std::to_string(i) + "=x");
    EXPECT_NE(jar.cookie_header(url("https://a.example/")).find("s0=x"), std::string::npos);
    EXPECT_EQ(jar.size(), cookie_jar::max_cookies_per_host);
}

TEST(CookieJar, finds_the_registrable_domain) {
    for (const auto& [host, site] :
         std::initializer_list<std::pair<const char*, const char*>>{{"a.b.example.co.uk", "example.co.uk"},
                                                                    {"example.co.uk.", "example.co.uk"},
                                                                    {"..a.example.co.uk", "example.co.uk"},
                                                                    {"a..example.co.uk", "example.co.uk"},
                                                                    {".co.uk", "co.uk"},
                                                                    {"..", ".."},
                                                                    {"co.uk", "co.uk"},
                                                                    {"a.b.github.io", "b.github.io"},
                                                                    {"localhost", "localhost"},
                                                                    {"10.0.0.1", "10.0.0.1"},
                                                                    {"::1", "::1"}})
        EXPECT_EQ(detail::site_of(host), site) << host;
}

}  // namespace
}  // namespace rondo
