// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/forwarded.hpp>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

struct forwarded_text {
    std::string client, scheme, host;
    unsigned port = 0;
};

using lines = std::initializer_list<std::pair<std::string_view, std::string_view>>;

forwarded_text read_lines(lines received, forwarded_fields which = forwarded_fields::automatic,
                          const allow_list& trusted = allow_list::parse({"10.0.0.0/8", "fd00::/8"})) {
    std::string bytes;
    std::vector<field_ref> refs;
    const auto put = [&bytes](std::string_view text) {
        const slice added{static_cast<std::uint32_t>(bytes.size()), static_cast<std::uint32_t>(text.size())};
        bytes += text;
        return added;
    };
    for (const auto& [name, value] : received) {
        const auto name_slice = put(name);
        refs.push_back({name_slice, put(value)});
    }
    const forwarded f = read_forwarded({bytes.data(), refs}, trusted, which);
    return {f.client ? f.client->text() : "", std::string(f.scheme), std::string(f.host), f.port};
}

std::string client_of_x_forwarded_for(std::string_view list) { return read_lines({{"X-Forwarded-For", list}}).client; }
std::string client_of_forwarded(std::string_view list) { return read_lines({{"Forwarded", list}}).client; }

TEST(XForwarded, the_client_is_the_first_untrusted_address_from_the_right) {
    EXPECT_EQ(client_of_x_forwarded_for("203.0.113.7"), "203.0.113.7");
    EXPECT_EQ(client_of_x_forwarded_for("198.51.100.1, 203.0.113.7"), "203.0.113.7");
    EXPECT_EQ(client_of_x_forwarded_for("198.51.100.1, 203.0.113.7, 10.0.0.2"), "203.0.113.7");
    EXPECT_EQ(client_of_x_forwarded_for("1.1.1.1,203.0.113.7,10.0.0.2 , 10.9.9.9"), "203.0.113.7");
    EXPECT_EQ(client_of_x_forwarded_for("10.0.0.3, 10.0.0.2"), "10.0.0.3");
    EXPECT_EQ(client_of_x_forwarded_for("203.0.113.7, , 10.0.0.2,"), "203.0.113.7");
    EXPECT_EQ(client_of_x_forwarded_for(""), "");
    EXPECT_EQ(client_of_x_forwarded_for(" , ,"), "");
}

TEST(XForwarded, joins_several_lines) {
    EXPECT_EQ(read_lines({{"X-Forwarded-For", "1.1.1.1"}, {"Host", "a"}, {"x-forwarded-for", "203.0.113.7, 10.0.0.2"}})
                  .client,
              "203.0.113.7");
    EXPECT_EQ(read_lines({{"X-Forwarded-For", "203.0.113.7"}, {"X-FORWARDED-FOR", "10.0.0.2"}}).client, "203.0.113.7");
}

TEST(XForwarded, parses_ports_and_ipv6) {
    EXPECT_EQ(client_of_x_forwarded_for("2001:DB8::1"), "2001:db8::1");
    EXPECT_EQ(client_of_x_forwarded_for("[2001:db8::1]"), "2001:db8::1");
    EXPECT_EQ(client_of_x_forwarded_for("203.0.113.7, fd00::1"), "203.0.113.7");
    EXPECT_EQ(client_of_x_forwarded_for("203.0.113.7, ::ffff:10.0.0.2"), "203.0.113.7");
    const forwarded_text six = read_lines({{"X-Forwarded-For", "[2001:db8::1]:8080"}});
    EXPECT_EQ(six.client, "2001:db8::1");
    EXPECT_EQ(six.port, 8080u);
    const forwarded_text four = read_lines({{"X-Forwarded-For", "203.0.113.7:99, 10.0.0.2:5"}});
    EXPECT_EQ(four.client, "203.0.113.7");
    EXPECT_EQ(four.port, 99u);
}

TEST(XForwarded, an_invalid_address_ends_the_list) {
    for (const char* bad : {"unknown", "_hidden", "evil<script>", "1.2.3", "1.2.3.4:x", "1.2.3.4:99999", "[1.2.3.4]",
                            "[::1", "[::1]x", "::1%eth0", "\"1.2.3.4\"", "1.2.3.4 5.6.7.8", "for=1.2.3.4"}) {
        EXPECT_EQ(client_of_x_forwarded_for(bad), "") << bad;
        EXPECT_EQ(client_of_x_forwarded_for(std::string("203.0.113.7, ") + bad + ", 10.0.0.2"), "10.0.0.2") << bad;
    }
}

TEST(XForwarded, uses_scheme_and_host_of_the_proxy_nearest_to_the_client) {
    forwarded_text result = read_lines({{"X-Forwarded-For", "203.0.113.7, 10.0.0.2"},
                                        {"X-Forwarded-Proto", "https, http"},
                                        {"X-Forwarded-Host", "evil.example, example.org, inner"}});
    EXPECT_EQ(result.scheme, "https");
    EXPECT_EQ(result.host, "example.org");
    result = read_lines({{"X-Forwarded-For", "203.0.113.7"}, {"X-Forwarded-Proto", "https, http"}});
    EXPECT_EQ(result.scheme, "http") << "only the last part was written by the proxy";
    result = read_lines(
        {{"X-Forwarded-For", "203.0.113.7, 10.0.0.2"}, {"X-Forwarded-Proto", "HTTPS"}, {"X-Forwarded-Host", "a:80"}});
    EXPECT_EQ(result.scheme, "https");
    EXPECT_EQ(result.host, "a:80");
    result = read_lines({{"X-Forwarded-Proto", "wss"}});
    EXPECT_EQ(result.scheme, "https");
    EXPECT_EQ(result.client, "");
    result = read_lines({{"X-Forwarded-Proto", "javascript"}, {"X-Forwarded-Host", "a b"}});
    EXPECT_EQ(result.scheme + result.host, "");
}

TEST(Forwarded, reads_elements_from_the_right) {
    EXPECT_EQ(client_of_forwarded("for=203.0.113.7"), "203.0.113.7");
    EXPECT_EQ(client_of_forwarded("for=198.51.100.1, For=203.0.113.7;by=10.0.0.1;proto=https, for=10.0.0.2"),
              "203.0.113.7");
    EXPECT_EQ(client_of_forwarded("for=\"[2001:db8:cafe::17]:4711\""), "2001:db8:cafe::17");
    EXPECT_EQ(client_of_forwarded("FOR=\"203.0.113.7:_obf\""), "203.0.113.7");
    EXPECT_EQ(client_of_forwarded("proto=http ; for=203.0.113.7;ext=\"x y\""), "203.0.113.7");
    EXPECT_EQ(read_lines({{"Forwarded", "for=203.0.113.7"}, {"Forwarded", "for=10.0.0.2"}}).client, "203.0.113.7");
}

TEST(Forwarded, an_invalid_address_ends_the_list) {
    for (const char* bad :
         {"for=unknown", "for=_hidden", "for=\"_a:9\"", "by=10.0.0.1", "for", "for=", "=1.2.3.4", "for=\"1.2.3.4",
          "for=1.2.3.4;for=1.2.3.4", "for=\"1\\.2.3.4\"", "for=2001:db8::1", "for=\"a\"b\""}) {
        EXPECT_EQ(client_of_forwarded(bad), "") << bad;
        EXPECT_EQ(client_of_forwarded(std::string("for=203.0.113.7, ") + bad + ", for=10.0.0.2"), "10.0.0.2") << bad;
    }
}

TEST(Forwarded, a_quote_of_the_client_swallows_nothing) {
    EXPECT_EQ(client_of_forwarded("for=\"1.1.1.1, for=203.0.113.7"), "203.0.113.7");
    EXPECT_EQ(client_of_forwarded("for=1.1.1.1;x=\", for=203.0.113.7;by=\"10.0.0.1\""), "203.0.113.7");
}

TEST(Forwarded, a_semicolon_within_quotes_does_not_separate) {
    const forwarded_text result = read_lines({{"Forwarded", "for=203.0.113.7;host=\";y=\";proto=https"}});
    EXPECT_EQ(result.client, "203.0.113.7");
    EXPECT_EQ(result.host, ";y=");
    EXPECT_EQ(result.scheme, "https");
    EXPECT_EQ(client_of_forwarded("for=6.6.6.6;x=\";for=7.7.7.7"), "");
}

TEST(Forwarded, reads_scheme_and_host) {
    forwarded_text result =
        read_lines({{"Forwarded",
                     "for=1.1.1.1;proto=http;host=evil, for=203.0.113.7;proto=https;host=\"example.org:444\", "
                     "for=10.0.0.2;proto=http;host=inner"}});
    EXPECT_EQ(result.scheme, "https");
    EXPECT_EQ(result.host, "example.org:444");
    result = read_lines({{"Forwarded", "for=203.0.113.7;proto=gopher;host=\"a b\", for=10.0.0.2;proto=https;host=a"}});
    EXPECT_EQ(result.scheme, "https");
    EXPECT_EQ(result.host, "a");
    EXPECT_EQ(read_lines({{"Forwarded", "proto=https"}}).scheme, "https");
}

TEST(Forwarded, chooses_the_fields_to_read) {
    const lines both = {{"Forwarded", "for=1.1.1.1"}, {"X-Forwarded-For", "2.2.2.2"}};
    EXPECT_EQ(read_lines(both).client, "2.2.2.2");
    EXPECT_EQ(read_lines(both, forwarded_fields::x_forwarded).client, "2.2.2.2");
    EXPECT_EQ(read_lines(both, forwarded_fields::forwarded).client, "1.1.1.1");
    EXPECT_EQ(read_lines({{"Forwarded", "for=1.1.1.1"}}).client, "1.1.1.1");
    EXPECT_EQ(read_lines({{"Forwarded", "for=1.1.1.1"}}, forwarded_fields::x_forwarded).client, "");
    EXPECT_EQ(read_lines({{"Forwarded", "for=1.1.1.1"}, {"X-Forwarded-Proto", "https"}}).client, "");
}

TEST(Forwarded, with_every_address_trusted_the_client_is_the_first_within_bounds) {
    const allow_list all = allow_list::parse({"*"});
    EXPECT_EQ(read_lines({{"X-Forwarded-For", "1.1.1.1, 2.2.2.2"}}, forwarded_fields::automatic, all).client,
              "1.1.1.1");
    std::string many = "9.9.9.9";
    for (int i = 0; i < 5000; ++i) many += ",1.1.1.1";
    EXPECT_EQ(read_lines({{"X-Forwarded-For", many}}, forwarded_fields::automatic, all).client, "1.1.1.1");
}

}  // namespace
}  // namespace rondo::http
