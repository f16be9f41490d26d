// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/response_writer.hpp>

#include <limits>
#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace rondo::http::h1 {
namespace {

// Writes to memory of exactly the bound, so that sanitizers find a write past it.
std::string written(const response_parts& head) {
    const std::size_t bound = response_size_bound(head);
    const auto memory = std::make_unique<char[]>(bound);
    char* const end = write_response_head(memory.get(), head);
    EXPECT_LE(end, memory.get() + bound);
    return {memory.get(), end};
}

TEST(WriteResponseHead, writes_the_smallest_head) { EXPECT_EQ(written({}), "HTTP/1.1 200 OK\r\n\r\n"); }

TEST(WriteResponseHead, writes_all_parts) {
    fields more;
    more.add("X-A", "1");
    more.add("Set-Cookie", "a=b");
    response_parts head;
    head.code = status::not_found;
    head.body = framing::length;
    head.content_length = 14;
    head.date = "Sun, 06 Nov 1994 08:49:37 GMT";
    head.content_type = "text/plain; charset=utf-8";
    head.connection = connection_option::close;
    head.fields = &more;
    EXPECT_EQ(
        written(head),
        "HTTP/1.1 404 Not Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 14\r\nConnection: close\r\nX-A: 1\r\nSet-Cookie: a=b\r\n\r\n");
}

TEST(WriteResponseHead, writes_chunked_and_connection) {
    response_parts head;
    head.body = framing::chunked;
    head.connection = connection_option::keep_alive;
    EXPECT_EQ(written(head), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n");
    head.body = framing::none;
    head.code = status::switching_protocols;
    head.connection = connection_option::upgrade;
    EXPECT_EQ(written(head), "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n");
}

TEST(WriteResponseHead, writes_every_code) {
    for (int code = 100; code < 600; ++code) {
        response_parts head;
        head.code = static_cast<status>(code);
        EXPECT_EQ(written(head),
                  "HTTP/1.1 " + std::to_string(code) + " " + std::string(reason(head.code)) + "\r\n\r\n");
    }
}

TEST(WriteResponseHead, writes_a_reason) {
    response_parts head;
    head.code = status::not_found;
    head.date = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (const std::string& reason : {std::string("x"), std::string("Nothing Here"), std::string(1000, 'r')}) {
        head.reason = reason;
        EXPECT_EQ(written(head), "HTTP/1.1 404 " + reason + "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
    }
}

TEST(WriteResponseHead, stays_within_its_bound) {
    fields more;
    more.add("X", std::string(500, 'v'));
    const std::string type(300, 't');
    response_parts head;
    head.code = status::network_authentication_required;
    head.body = framing::length;
    head.content_length = std::numeric_limits<std::uint64_t>::max();
    head.date = "Sun, 06 Nov 1994 08:49:37 GMT";
    head.content_type = type;
    head.connection = connection_option::keep_alive;
    head.fields = &more;
    EXPECT_TRUE(written(head).ends_with("\r\n\r\n"));
}

TEST(WriteDecimal, writes_numbers) {
    std::uint64_t number = 1;
    const auto check = [](std::uint64_t n) {
        char out[max_decimal_size];
        EXPECT_EQ(std::string(out, write_decimal(out, n)), std::to_string(n));
    };
    check(0);
    for (int digits = 1; digits <= 19; ++digits, number *= 10) {
        check(number - 1);
        check(number);
        check(number + 1);
    }
    check(std::numeric_limits<std::uint64_t>::max());
    for (std::uint64_t n = 0; n < 20000; ++n) check(n);
}

TEST(WriteChunkHeader, writes_sizes) {
    const auto text = [](std::uint64_t n) {
        char out[max_chunk_header_size];
        return std::string(out, write_chunk_header(out, n));
    };
    EXPECT_EQ(text(1), "1\r\n");
    EXPECT_EQ(text(15), "f\r\n");
    EXPECT_EQ(text(16), "10\r\n");
    EXPECT_EQ(text(65536), "10000\r\n");
    EXPECT_EQ(text(std::numeric_limits<std::uint64_t>::max()), "ffffffffffffffff\r\n");
}

}  // namespace
}  // namespace rondo::http::h1
