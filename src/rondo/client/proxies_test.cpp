// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/proxies.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include <rondo/http/url.hpp>

namespace rondo {
namespace {

bool is_direct(const char* no_proxy, const char* url) {
    const auto lookup = [no_proxy](const char* name) {
        return std::string_view(name) == "no_proxy" ? no_proxy : nullptr;
    };
    return detail::bypasses_proxy(client_proxies::from_environment(lookup), *http::url::parse(url));
}

TEST(NoProxy, splits_at_commas_and_spaces) {
    const auto lookup = [](const char* name) {
        return std::string_view(name) == "NO_PROXY" ? " a.example,b.example\t c.example ,, ,d.example," : nullptr;
    };
    EXPECT_EQ(client_proxies::from_environment(lookup).no_proxy,
              (std::vector<std::string>{"a.example", "b.example", "c.example", "d.example"}));
    EXPECT_TRUE(is_direct("a.example b.example", "http://b.example/"));
    EXPECT_TRUE(is_direct("a.example b.example", "http://a.example/"));
    for (const char* none : {"", " ", ",", " , ,"}) EXPECT_FALSE(is_direct(none, "http://a.example/")) << none;
}

TEST(NoProxy, names_match_their_subdomains) {
    for (const char* entry : {"example.org", ".example.org", "*.example.org", "EXAMPLE.org", "example.org.",
                              ".example.org.", "example.org:80", "example.org.:80", "example.org:"}) {
        for (const char* url : {"http://example.org/", "http://Example.ORG/", "http://example.org./",
                                "http://a.b.example.org/", "http://a.example.org.:80/"})
            EXPECT_TRUE(is_direct(entry, url)) << entry << " " << url;
        for (const char* url : {"http://badexample.org/", "http://example.org.uk/", "http://org/", "http://example/"})
            EXPECT_FALSE(is_direct(entry, url)) << entry << " " << url;
    }
    EXPECT_FALSE(is_direct("example.org:81", "http://example.org/"));
    EXPECT_TRUE(is_direct("example.org:81", "http://a.example.org:81/"));
    EXPECT_FALSE(is_direct("example.org:x", "http://example.org/"));
    for (const char* entry : {".", "..", "*.", ":80", ":"})
        EXPECT_FALSE(is_direct(entry, "http://a.example/")) << entry;
}

TEST(NoProxy, a_star_matches_everything) {
    for (const char* list : {"*", " * ", "a,*"})
        for (const char* url : {"http://a.example/", "https://10.0.0.1/", "http://[::1]/"})
            EXPECT_TRUE(is_direct(list, url)) << list << " " << url;
}

TEST(NoProxy, matches_addresses) {
    for (const char* entry : {"127.0.0.1", "127.0.0.1:8080", "127.0.0.1.", "127.0.0.1/32"})
        for (const char* url : {"http://127.0.0.1:8080/", "http://127.1:8080/", "http://0x7f000001:8080/"})
            EXPECT_TRUE(is_direct(entry, url)) << entry << " " << url;
    EXPECT_FALSE(is_direct("127.0.0.1:81", "http://127.0.0.1/"));
    EXPECT_FALSE(is_direct("0.0.1", "http://10.0.0.1/")) << "a suffix of an address does not match";
    EXPECT_FALSE(is_direct(".0.1", "http://10.0.0.1/"));
    EXPECT_FALSE(is_direct("127.0.0.1", "http://127.0.0.1.example/"));
    for (const char* entry : {"::1", "[::1]", "[::1]:8080", "0:0:0:0:0:0:0:1", "[0:0::1]", "::1/128", "[::1]/128"})
        EXPECT_TRUE(is_direct(entry, "http://[::1]:8080/")) << entry;
    EXPECT_TRUE(is_direct("[FD00::A]", "http://[fd00::a]/"));
    EXPECT_TRUE(is_direct("fd00::a", "http://[FD00::A]/"));
    for (const char* entry : {"[::1]:81", "[::2]", "[::1", "::1]", "[]", "[", "]:8080"})
        EXPECT_FALSE(is_direct(entry, "http://[::1]:8080/")) << entry;
}

TEST(NoProxy, matches_networks) {
    for (const char* entry : {"10.0.0.0/8", "10.1.2.3/8", "10.255.0.0/8", "0.0.0.0/0", "10.1.2.0/23", "10.1.3.4/32"})
        EXPECT_TRUE(is_direct(entry, "http://10.1.3.4/")) << entry;
    for (const char* entry : {"10.0.0.0/9", "10.1.2.0/24", "10.1.3.5/32"})
        EXPECT_EQ(is_direct(entry, "http://10.1.3.4/"), std::string_view(entry) == "10.0.0.0/9") << entry;
    for (const char* entry : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/ 8", "/8", "10/8",
                              "x/8", "10.0.0.0/8/8", "::/0", "::ffff/8"})
        EXPECT_FALSE(is_direct(entry, "http://10.1.3.4/")) << entry;
    EXPECT_FALSE(is_direct("10.0.0.0/8", "http://10.example/"));
    for (const char* entry : {"fd00::/8", "[fd00::]/8", "fd12:3456::/32", "::/0", "FD12:3456::1/127"})
        EXPECT_TRUE(is_direct(entry, "http://[fd12:3456::]/")) << entry;
    for (const char* entry : {"fe80::/10", "fd12:3457::/32", "fd00::/129", "0.0.0.0/0"})
        EXPECT_FALSE(is_direct(entry, "http://[fd12:3456::]/")) << entry;
}

}  // namespace
}  // namespace rondo
