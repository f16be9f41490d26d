// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/ip_address.hpp>

#include <stdexcept>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

TEST(IpAddress, parses_ipv4_and_ipv6) {
    EXPECT_EQ(ip_address::parse("192.0.2.1")->text(), "192.0.2.1");
    EXPECT_EQ(ip_address::parse("2001:DB8:0:0::1")->text(), "2001:db8::1");
    EXPECT_EQ(ip_address::parse("::ffff:192.0.2.1"), ip_address::parse("192.0.2.1"));
    EXPECT_TRUE(ip_address::parse("192.0.2.1")->is_ipv4());
    EXPECT_FALSE(ip_address::parse("::1")->is_ipv4());
}

TEST(IpAddress, rejects_invalid_addresses) {
    for (std::string_view bad : {"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", " 1.2.3.4",
                                 "[::1]", "::1%eth0", "1.2.3.4:80", ":::", "unknown", "_hidden"})
        EXPECT_FALSE(ip_address::parse(bad)) << bad;
    EXPECT_FALSE(ip_address::parse(std::string(4096, '1')));
    EXPECT_FALSE(ip_address::parse(std::string_view("1.2.3.4\0", 8)));
}

bool allows(std::initializer_list<std::string_view> items, std::string_view peer) {
    return allow_list::parse(items).contains_peer(peer);
}

TEST(AllowList, matches_addresses_and_networks) {
    EXPECT_TRUE(allows({"127.0.0.1"}, "127.0.0.1"));
    EXPECT_FALSE(allows({"127.0.0.1"}, "127.0.0.2"));
    EXPECT_TRUE(allows({"10.0.0.0/8"}, "10.255.0.1"));
    EXPECT_FALSE(allows({"10.0.0.0/8"}, "11.0.0.1"));
    EXPECT_TRUE(allows({"192.0.2.128/25"}, "192.0.2.129"));
    EXPECT_FALSE(allows({"192.0.2.128/25"}, "192.0.2.127"));
    EXPECT_TRUE(allows({"192.0.2.128/25"}, "::ffff:192.0.2.129"));
    EXPECT_TRUE(allows({"2001:db8::/32"}, "2001:db8:ffff::1"));
    EXPECT_FALSE(allows({"2001:db8::/32"}, "2001:db9::1"));
    EXPECT_TRUE(allows({"2001:db8::/33"}, "2001:db8:7fff::1"));
    EXPECT_FALSE(allows({"2001:db8::/33"}, "2001:db8:8000::1"));
    EXPECT_TRUE(allows({"0.0.0.0/0"}, "203.0.113.9"));
    EXPECT_FALSE(allows({"0.0.0.0/0"}, "2001:db8::1"));
    EXPECT_TRUE(allows({"::1", "10.0.0.0/8"}, "10.1.1.1"));
}

TEST(AllowList, matches_unix_and_wildcard) {
    EXPECT_TRUE(allows({"unix"}, "unix"));
    EXPECT_FALSE(allows({"127.0.0.1", "::/0"}, "unix"));
    EXPECT_TRUE(allows({"*"}, "unix"));
    EXPECT_TRUE(allows({"*"}, "2001:db8::1"));
    EXPECT_FALSE(allows({}, "127.0.0.1"));
    EXPECT_FALSE(allows({"*"}, ""));
    EXPECT_TRUE(allow_list().empty());
    EXPECT_EQ(allow_list::parse({"unix", "10.0.0.0/8"}).text(), "unix,10.0.0.0/8");
}

TEST(AllowList, rejects_invalid_items) {
    for (std::string_view bad : {"", "localhost", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/x", "10.0.0.1/8",
                                 "10.0.0.0/-1", "2001:db8::1/32", "/8"})
        EXPECT_THROW((void)allow_list::parse({bad}), std::invalid_argument) << bad;
}

}  // namespace
}  // namespace rondo::http
