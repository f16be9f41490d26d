// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/proxy_protocol.hpp>

#include <string>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

using namespace std::literals;
using source = proxy_header::source;

const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string binary(unsigned version_and_command, unsigned family, std::string rest) {
    std::string out = signature;
    out += static_cast<char>(version_and_command);
    out += static_cast<char>(family);
    out += static_cast<char>(rest.size() >> 8);
    out += static_cast<char>(rest.size());
    return out + rest;
}

const std::string ipv4 = "\xc0\x00\x02\x01\x0a\x00\x00\x01\x04\xd2\x00\x50"s;
const std::string ipv6 =
    "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x07"s + std::string(15, '\0') + "\x01"s + "\x10\xe1\x00\x50"s;

// Parses the header alone, followed by a request, and each proper prefix.
proxy_header parse_valid(const std::string& header) {
    for (std::size_t size = 0; size < header.size(); ++size) {
        const auto part = parse_proxy_header(std::string_view(header).substr(0, size));
        EXPECT_FALSE(part) << size;
        if (!part) EXPECT_EQ(part.error(), proxy_error::incomplete) << size;
    }
    const auto whole = parse_proxy_header(header);
    const auto with_more = parse_proxy_header(header + "GET / HTTP/1.1\r\n");
    EXPECT_TRUE(whole && with_more) << header;
    if (!whole || !with_more) return {};
    EXPECT_EQ(whole->size, header.size());
    EXPECT_EQ(with_more->size, header.size());
    EXPECT_EQ(whole->address, with_more->address);
    return *whole;
}

void expect_malformed(const std::string& bytes) {
    const auto result = parse_proxy_header(bytes);
    ASSERT_FALSE(result) << bytes;
    EXPECT_EQ(result.error(), proxy_error::malformed) << bytes;
}

TEST(ProxyProtocol, parses_version_1) {
    const proxy_header four = parse_valid("PROXY TCP4 192.0.2.1 10.0.0.1 1234 80\r\n");
    EXPECT_EQ(four.source_type, source::ip);
    EXPECT_EQ(four.address.text(), "192.0.2.1");
    EXPECT_EQ(four.port, 1234);
    EXPECT_FALSE(four.secure);
    const proxy_header six = parse_valid("PROXY TCP6 2001:db8::7 ::1 65535 0\r\n");
    EXPECT_EQ(six.address.text(), "2001:db8::7");
    EXPECT_EQ(six.port, 65535);
    EXPECT_EQ(parse_valid("PROXY UNKNOWN\r\n").source_type, source::connection);
    EXPECT_EQ(parse_valid("PROXY UNKNOWN ffff::1 whatever it says\r\n").source_type, source::connection);
    parse_valid(
        "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n");
}

TEST(ProxyProtocol, rejects_malformed_version_1) {
    for (const char* line :
         {"PROXY \r\n", "PROXY TCP4\r\n", "PROXY TCP4 192.0.2.1 10.0.0.1 1234\r\n",
          "PROXY TCP4 192.0.2.1 10.0.0.1 1234 80 \r\n", "PROXY TCP4  192.0.2.1 10.0.0.1 1234 80\r\n",
          "PROXY TCP4 192.0.2.1 10.0.0.1 1234 80 9\r\n", "PROXY TCP4 192.0.2.1 10.0.0.1 01234 80\r\n",
          "PROXY TCP4 192.0.2.1 10.0.0.1 65536 80\r\n", "PROXY TCP4 192.0.2.1 10.0.0.1 -1 80\r\n",
          "PROXY TCP4 192.0.2.1 10.0.0.1 1234 x\r\n", "PROXY TCP4 192.0.2.300 10.0.0.1 1234 80\r\n",
          "PROXY TCP4 2001:db8::7 ::1 1 80\r\n", "PROXY TCP6 192.0.2.1 10.0.0.1 1 80\r\n",
          "PROXY TCP5 192.0.2.1 10.0.0.1 1 80\r\n", "PROXY UDP4 192.0.2.1 10.0.0.1 1 80\r\n", "PROXY UNKNOWNS\r\n",
          "PROXY TCP4 192.0.2.1 10.0.0.1 1234 80\n", "PROXY\tTCP4 192.0.2.1 10.0.0.1 1234 80\r\n",
          "PROXY TCP4 192.0.2.1 10.0.0.1 1234 80\rx"})
        expect_malformed(line);
    expect_malformed("PROXY UNKNOWN " + std::string(100, 'x'));
    expect_malformed("PROXY UNKNOWN " + std::string(100, 'x') + "\r\n");
    expect_malformed("PROXY UNKNOWN \0 x\r\n"s);
}

TEST(ProxyProtocol, parses_version_2) {
    const proxy_header four = parse_valid(binary(0x21, 0x11, ipv4));
    EXPECT_EQ(four.source_type, source::ip);
    EXPECT_EQ(four.address.text(), "192.0.2.1");
    EXPECT_EQ(four.port, 1234);
    const proxy_header six = parse_valid(binary(0x21, 0x21, ipv6));
    EXPECT_EQ(six.address.text(), "2001:db8::7");
    EXPECT_EQ(six.port, 4321);
    EXPECT_EQ(parse_valid(binary(0x21, 0x31, std::string(216, 'p'))).source_type, source::unix_socket);
    EXPECT_EQ(parse_valid(binary(0x21, 0x00, "whatever")).source_type, source::connection);
    EXPECT_EQ(parse_valid(binary(0x20, 0x11, "")).source_type, source::connection);
    EXPECT_EQ(parse_valid(binary(0x20, 0x11, ipv4)).source_type, source::connection);
}

TEST(ProxyProtocol, parses_version_2_extensions) {
    const std::string alpn = "\x01\x00\x02h2"s;
    const std::string tls = "\x20\x00\x05\x01\x00\x00\x00\x00"s;
    EXPECT_TRUE(parse_valid(binary(0x21, 0x11, ipv4 + alpn + tls)).secure);
    EXPECT_FALSE(parse_valid(binary(0x21, 0x11, ipv4 + alpn)).secure);
    EXPECT_FALSE(parse_valid(binary(0x21, 0x11, ipv4 + "\x20\x00\x05\x02\x00\x00\x00\x00"s)).secure);
    expect_malformed(binary(0x21, 0x11, ipv4 + "\x01"));
    expect_malformed(binary(0x21, 0x11, ipv4 + "\x01\x00\x03h2"s));
    parse_valid(binary(0x21, 0x11, ipv4 + "\x04\x03\xe8"s + std::string(1000, '\0')));
}

TEST(ProxyProtocol, rejects_malformed_version_2) {
    expect_malformed(binary(0x11, 0x11, ipv4));
    expect_malformed(binary(0x22, 0x11, ipv4));
    expect_malformed(binary(0x21, 0x12, ipv4));
    expect_malformed(binary(0x21, 0x11, ipv4.substr(1)));
    expect_malformed(binary(0x21, 0x21, ipv4));
    expect_malformed(binary(0x21, 0x31, std::string(215, 'p')));
    expect_malformed(binary(0x21, 0x00, std::string(max_proxy_header, 'x')));
    expect_malformed(signature + "\x31");
}

TEST(ProxyProtocol, rejects_anything_else_at_the_first_wrong_byte) {
    for (const std::string& text : {"GET / HTTP/1.1\r\n"s, "P "s, "PROXYX"s, "\r\n\r\nG"s, "\0"s, "PRI * HTTP/2.0"s})
        expect_malformed(text);
    expect_malformed("G");
    EXPECT_EQ(parse_proxy_header("").error(), proxy_error::incomplete);
}

}  // namespace
}  // namespace rondo::http
