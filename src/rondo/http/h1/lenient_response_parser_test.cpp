// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/lenient_response_parser.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>

namespace rondo::http::h1 {
namespace {

// The repaired lines after the status line; "-" when nothing was repaired.
std::string repaired(const std::string& lines) {
    std::string head = "HTTP/1.1 200 OK\r\n" + lines + "\r\n";
    const std::size_t size = head.size();
    const bool changed = repair_response_head(head);
    EXPECT_EQ(head.size(), size);
    EXPECT_TRUE(head.ends_with("\r\n\r\n"));
    return changed ? head.substr(17, size - 19) : "-";
}

TEST(LenientResponseParser, joins_folded_lines) {
    EXPECT_EQ(repaired("A: b\r\n c\r\nD: e\r\n"), "A: b   c\r\nD: e\r\n");
    EXPECT_EQ(repaired("A: b\r\n\tc\r\n  d\r\n"), "A: b  \tc    d\r\n");
    EXPECT_EQ(repaired("A:\r\n b\r\n"), "A:   b\r\n");
    EXPECT_EQ(repaired("A: b\r\n \r\nD: e\r\n"), "A: b   \r\nD: e\r\n");
    EXPECT_EQ(repaired("A: b\r\n c: d\r\n"), "A: b   c: d\r\n");
}

TEST(LenientResponseParser, moves_space_behind_the_colon) {
    EXPECT_EQ(repaired("A : b\r\n"), "A:  b\r\n");
    EXPECT_EQ(repaired("A \t:b\r\nC: d\r\n"), "A:  b\r\nC: d\r\n");
    EXPECT_EQ(repaired("A : b\r\n c\r\n"), "A:  b   c\r\n");
}

// The head size and framing of the parsed head, or the error.
std::string parse_outcome(const std::string& bytes) {
    received_head head{};
    std::array<field_ref, 10> storage;
    std::string text;
    const auto result = parse_response_head_leniently(bytes, method::get, {}, storage, head, text);
    if (!result) return std::string(to_string(result.error()));
    if (text.empty()) text = bytes;
    return std::to_string(head.size) + (head.body == response_framing::chunked ? " chunked" : " ") +
           std::to_string(head.content_length);
}

TEST(LenientResponseParser, joins_folds_before_parsing_the_field) {
    for (const auto& [lines, expected] : {std::pair<std::string, std::string>{"Content-Length:\r\n 2\r\n", " 2"},
                                          {"Content-Length: 2\r\n \r\n", " 2"},
                                          {"A: b\r\n c\r\nContent-Length :\r\n\t 2\r\nD : e\r\n", " 2"},
                                          {"Transfer-Encoding:\r\n chunked\r\n", " chunked0"},
                                          {"Transfer-Encoding:\r\n\tchunked\r\n", " chunked0"},
                                          {"Transfer-Encoding:\r\n \r\n chunked\r\nA: b\r\n", " chunked0"}}) {
        const std::string head = "HTTP/1.1 200 OK\r\n" + lines + "\r\n";
        EXPECT_EQ(parse_outcome(head + "\r\nbody"), std::to_string(head.size()) + expected) << lines;
        for (std::size_t cut = 0; cut < head.size(); ++cut)
            EXPECT_EQ(parse_outcome(head.substr(0, cut)), to_string(parse_error::incomplete)) << lines << ' ' << cut;
    }
}

TEST(LenientResponseParser, reports_other_errors_as_early_as_possible) {
    for (const char* head :
         {"nonsense\r\n", "HTTP/1.1 200 OK\r\n a: b\r\nA", "HTTP/1.1 200 OK\r\nA b: c\r\nD",
          "HTTP/1.1 200 OK\r\nContent-Length: x\r\nA", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n 2\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip,\r\n chunked\r\nA",
          "HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length :\r\n 2\r\nContent-Length: 2\r\n\r\n"})
        EXPECT_NE(parse_outcome(head), to_string(parse_error::incomplete)) << head;
    std::string endless = "HTTP/1.1 200 OK\r\nContent-Length:\r\n";
    while (endless.size() < 100'000) endless += " \r\n";
    EXPECT_EQ(parse_outcome(endless), to_string(parse_error::fields_too_large));
}

TEST(LenientResponseParser, changes_nothing_else) {
    for (const char* lines :
         {"A: b\r\n", "A: b : c\r\n", "A b: c\r\n", ": a\r\n", " : a\r\n", "A\r\n", "A \r\n", " a\r\n", ""})
        EXPECT_EQ(repaired(lines), "-") << lines;
    std::string cut = "HTTP/1.1 200 OK\r\nA: b\r\n";
    EXPECT_FALSE(repair_response_head(cut));
    EXPECT_EQ(find_head_end("HTTP/1.1 200 OK\r\n\r\nbody"), 19u);
    EXPECT_EQ(find_head_end("HTTP/1.1 200 OK\r\n"), std::string_view::npos);
}

}  // namespace
}  // namespace rondo::http::h1
