// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/response_parser.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include <rondo/http/h1/request_writer.hpp>

namespace rondo::http::h1 {
namespace {

struct parsed {
    explicit parsed(std::string_view text, method request_method = method::get, parse_limits limits = {})
        : result(parse_response_head(text, request_method, limits, storage, head)) {}

    std::array<field_ref, 100> storage{};
    received_head head{};
    std::expected<void, parse_error> result;
};

parse_error error_of(std::string_view text, parse_limits limits = {}) {
    const parsed p(text, method::get, limits);
    EXPECT_FALSE(p.result.has_value()) << text;
    return p.result ? parse_error::incomplete : p.result.error();
}

response_framing framing_of(std::string_view fields, method request_method = method::get, int code = 200) {
    const std::string text = "HTTP/1.1 " + std::to_string(code) + " X\r\n" + std::string(fields) + "\r\n";
    const parsed p(text, request_method);
    EXPECT_TRUE(p.result.has_value()) << text;
    return p.head.body;
}

TEST(ResponseParser, parses_a_head) {
    const std::string text = "HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\nX-A:  b c \t\r\n\r\nrest";
    const parsed p(text);
    ASSERT_TRUE(p.result.has_value());
    EXPECT_EQ(p.head.size, text.size() - 4);
    EXPECT_EQ(p.head.code, status::not_found);
    EXPECT_EQ(p.head.minor, 1);
    EXPECT_EQ(p.head.reason.view(text.data()), "Not Found");
    EXPECT_EQ(p.head.content_length, 12u);
    EXPECT_TRUE(p.head.keep_alive);
    ASSERT_EQ(p.head.fields.size(), 2u);
    EXPECT_EQ(p.head.view(text.data())[1], (field{"X-A", "b c"}));
}

TEST(ResponseParser, allows_a_missing_reason) {
    for (const std::string_view text : {"HTTP/1.1 200 \r\n\r\n", "HTTP/1.1 200\r\n\r\n"}) {
        const parsed p(text);
        ASSERT_TRUE(p.result.has_value()) << text;
        EXPECT_EQ(p.head.reason.size, 0u);
    }
}

TEST(ResponseParser, determines_the_framing_per_rfc_9112_section_6_3) {
    EXPECT_EQ(framing_of("Content-Length: 3\r\n"), response_framing::length);
    EXPECT_EQ(framing_of("Transfer-Encoding: chunked\r\n"), response_framing::chunked);
    EXPECT_EQ(framing_of(""), response_framing::until_close);
    EXPECT_EQ(framing_of("Content-Length: 3\r\n", method::head), response_framing::none);
    EXPECT_EQ(framing_of("Transfer-Encoding: chunked\r\n", method::head), response_framing::none);
    EXPECT_EQ(framing_of("Content-Length: 3\r\n", method::get, 304), response_framing::none);
    EXPECT_EQ(framing_of("Content-Length: 3\r\n", method::get, 204), response_framing::none);
    EXPECT_EQ(framing_of("", method::get, 100), response_framing::none);
    EXPECT_EQ(framing_of("", method::get, 101), response_framing::tunnel);
    EXPECT_EQ(framing_of("Content-Length: 3\r\n", method::connect), response_framing::tunnel);
    EXPECT_EQ(framing_of("Content-Length: 3\r\n", method::connect, 407), response_framing::length);
}

TEST(ResponseParser, determines_persistence) {
    EXPECT_TRUE(parsed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").head.keep_alive);
    EXPECT_FALSE(parsed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close\r\n\r\n").head.keep_alive);
    EXPECT_FALSE(parsed("HTTP/1.1 200 OK\r\n\r\n").head.keep_alive);
    EXPECT_FALSE(parsed("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").head.keep_alive);
    EXPECT_TRUE(parsed("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n").head.keep_alive);
    EXPECT_FALSE(parsed("HTTP/1.1 101 X\r\n\r\n").head.keep_alive);
}

TEST(ResponseParser, distinguishes_interim_heads) {
    EXPECT_TRUE(parsed("HTTP/1.1 100 Continue\r\n\r\n").head.is_interim());
    EXPECT_TRUE(parsed("HTTP/1.1 103 Early Hints\r\n\r\n").head.is_interim());
    EXPECT_FALSE(parsed("HTTP/1.1 101 Switching Protocols\r\n\r\n").head.is_interim());
    EXPECT_FALSE(parsed("HTTP/1.1 200 OK\r\n\r\n").head.is_interim());
}

TEST(ResponseParser, rejects_invalid_heads) {
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\n"), parse_error::bad_line_end);
    EXPECT_EQ(error_of("\r\nHTTP/1.1 200 OK\r\n\r\n"), parse_error::bad_version);
    EXPECT_EQ(error_of("http/1.1 200 OK\r\n"), parse_error::bad_version);
    EXPECT_EQ(error_of("HTTP/2.0 200 OK\r\n"), parse_error::version_not_supported);
    EXPECT_EQ(error_of("HTTP/1.1  200 OK\r\n"), parse_error::bad_status);
    EXPECT_EQ(error_of("HTTP/1.1 20 OK\r\n"), parse_error::bad_status);
    EXPECT_EQ(error_of("HTTP/1.1 2000 OK\r\n"), parse_error::bad_status);
    EXPECT_EQ(error_of("HTTP/1.1 099 OK\r\n"), parse_error::bad_status);
    EXPECT_EQ(error_of("HTTP/1.1 200 O\x01K\r\n"), parse_error::bad_status);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nA : b\r\n"), parse_error::bad_field_name);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\n: b\r\n"), parse_error::bad_field_name);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n"), parse_error::bad_field_name);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nA: b\x01\r\n"), parse_error::bad_field_value);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nA: b\n"), parse_error::bad_line_end);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nA: b\rc\r\n"), parse_error::bad_line_end);
}

TEST(ResponseParser, rejects_conflicting_framings) {
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
              parse_error::bad_content_length);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n"), parse_error::bad_content_length);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), parse_error::bad_content_length);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n"),
              parse_error::bad_content_length);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
              parse_error::bad_transfer_encoding);
    EXPECT_EQ(error_of("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), parse_error::bad_transfer_encoding);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
              parse_error::bad_transfer_encoding);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
              parse_error::unknown_transfer_coding);
}

TEST(ResponseParser, enforces_limits) {
    EXPECT_EQ(error_of("HTTP/1.1 200 " + std::string(100, 'x'), {.request_line = 50}),
              parse_error::status_line_too_long);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nA: " + std::string(100, 'x'), {.fields_bytes = 50}),
              parse_error::fields_too_large);
    EXPECT_EQ(error_of("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n", {.fields = 1}), parse_error::fields_too_large);
}

TEST(ResponseParser, every_proper_prefix_is_incomplete) {
    const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX-Long-Name: some value\r\n\r\n";
    for (std::size_t size = 0; size < text.size(); ++size) {
        // A separate copy, so that sanitizers find a read past the end.
        const std::string part(text, 0, size);
        EXPECT_EQ(error_of(part), parse_error::incomplete) << size;
    }
    EXPECT_TRUE(parsed(text).result.has_value());
}

TEST(ResponseParser, an_error_does_not_depend_on_how_the_input_is_split) {
    for (const std::string_view text : {"HTTP/1.1 200 OK\r\nA: b\r\nC : d\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n"}) {
        const parse_error whole = error_of(text);
        for (std::size_t size = 0; size < text.size(); ++size) {
            const parse_error part = error_of(std::string(text, 0, size));
            EXPECT_TRUE(part == parse_error::incomplete || part == whole) << text << size;
        }
    }
}

TEST(RequestWriter, writes_host_first_and_one_framing) {
    fields more;
    more.add("Accept", "a/b");
    request_parts parts;
    parts.method = "PUT";
    parts.target = "/x?y";
    parts.host = "h:1";
    parts.body = framing::length;
    parts.content_length = 5;
    parts.fields = &more;
    std::string out(request_size_bound(parts), '\0');
    out.resize(static_cast<std::size_t>(write_request_head(out.data(), parts) - out.data()));
    EXPECT_EQ(out, "PUT /x?y HTTP/1.1\r\nHost: h:1\r\nContent-Length: 5\r\nAccept: a/b\r\n\r\n");
    parts.body = framing::chunked;
    parts.connection = connection_option::close;
    parts.fields = nullptr;
    out.assign(request_size_bound(parts), '\0');
    out.resize(static_cast<std::size_t>(write_request_head(out.data(), parts) - out.data()));
    EXPECT_EQ(out, "PUT /x?y HTTP/1.1\r\nHost: h:1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
}

}  // namespace
}  // namespace rondo::http::h1
