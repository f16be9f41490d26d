// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/sanitized_forwarded.hpp>

#include <initializer_list>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

using field_values = std::initializer_list<std::string_view>;

// Applies `check` to the lines of one field.
std::string sanitized(std::string (*check)(const fields_view&), std::string_view name, field_values values) {
    std::string bytes(name);
    std::vector<field_ref> refs;
    for (const std::string_view value : values) {
        refs.push_back({{0, static_cast<std::uint32_t>(name.size())},
                        {static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(value.size())}});
        bytes += value;
    }
    return check({bytes.data(), refs});
}

std::string addresses(field_values values) { return sanitized(sanitized_forwarded_for, "X-Forwarded-For", values); }
std::string elements(field_values values) { return sanitized(sanitized_forwarded, "Forwarded", values); }

TEST(SanitizedForwarded, keeps_valid_addresses) {
    EXPECT_EQ(addresses({}), "");
    for (const char* good : {"192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80", "unknown",
                             "_hidden", "unknown:80", "192.0.2.1:_a", "a"}) {
        EXPECT_EQ(addresses({good}), std::string_view(good) == "a" ? "" : good);
    }
    EXPECT_EQ(addresses({"192.0.2.1,192.0.2.2", " , 192.0.2.3 ,"}), "192.0.2.1, 192.0.2.2, 192.0.2.3");
}

TEST(SanitizedForwarded, an_invalid_address_ends_the_list) {
    for (const char* bad :
         {"unix", "localhost", "<script>", "6.6.6.6 7.7.7.7", "\"6.6.6.6\"", "1.2.3", "::1%eth0", "[::1", "[1.2.3.4]",
          "1.2.3.4:", "1.2.3.4:port", "1.2.3.4:123456", "_", "6.6.6.6;x", "\""}) {
        EXPECT_EQ(addresses({bad}), "") << bad;
        EXPECT_EQ(addresses({"6.6.6.6, " + std::string(bad) + ", 192.0.2.1"}), "192.0.2.1") << bad;
        EXPECT_EQ(addresses({"6.6.6.6", bad}), "") << bad;
    }
}

TEST(SanitizedForwarded, keeps_valid_elements) {
    for (const char* good :
         {"for=192.0.2.1", "for=\"192.0.2.1:80\"", "for=\"[2001:db8::1]\"", "For=unknown;Proto=https;by=_a",
          "for=192.0.2.1;host=\"example.org:81\";proto=http", "host=example.org", "for=192.0.2.1;secret=\"a b\""}) {
        EXPECT_EQ(elements({good}), good);
    }
    EXPECT_EQ(elements({"for=192.0.2.1,for=192.0.2.2", "for=_x"}), "for=192.0.2.1, for=192.0.2.2, for=_x");
}

TEST(SanitizedForwarded, an_invalid_element_ends_the_list) {
    for (const char* bad : {"for=\"",
                            "for=6.6.6.6;x=\"",
                            "for=\"6.6.6.6",
                            "for=6.6.6.6\"",
                            "for=6.6.6.6;by=\"\\",
                            "for",
                            "=6.6.6.6",
                            "for=",
                            "for=example.org",
                            "for=[::1]",
                            "for=6.6.6.6:80",
                            "for=6.6.6.6;for=7.7.7.7",
                            "for=6.6.6.6;FOR=7.7.7.7",
                            "host=\"a b\"",
                            "host=\"a/b\"",
                            "proto=1http",
                            "proto=\"a b\"",
                            "x=\"a\\\"b\"",
                            "x=\"a;b\"",
                            "for =6.6.6.6",
                            "for= 6.6.6.6",
                            "x=a b",
                            ";",
                            "for=\"6.6.6.6, for=7.7.7.7\""}) {
        EXPECT_EQ(elements({bad}), "") << bad;
        EXPECT_EQ(elements({"for=6.6.6.6, " + std::string(bad) + ", for=192.0.2.1"}), "for=192.0.2.1") << bad;
        EXPECT_EQ(elements({"for=6.6.6.6", bad}), "") << bad;
    }
}

TEST(SanitizedForwarded, formats_nodes) {
    EXPECT_EQ(forwarded_for_node("192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(forwarded_for_node("2001:DB8::1"), "2001:db8::1");
    EXPECT_EQ(forwarded_node("192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(forwarded_node("2001:db8::1"), "\"[2001:db8::1]\"");
    for (const char* none : {"unix", ""}) {
        EXPECT_EQ(forwarded_for_node(none), "unknown");
        EXPECT_EQ(forwarded_node(none), "unknown");
    }
}

}  // namespace
}  // namespace rondo::http
