// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/mend.hpp>

#include <gtest/gtest.h>

#include <string>

namespace rondo::http::h1 {
namespace {

// What becomes of the lines after the status line; "-" when there is nothing to mend.
std::string mended(const std::string& lines) {
    std::string head = "HTTP/1.1 200 OK\r\n" + lines + "\r\n";
    const std::size_t size = head.size();
    const bool changed = mend_response_head(head);
    EXPECT_EQ(head.size(), size);
    EXPECT_TRUE(head.ends_with("\r\n\r\n"));
    return changed ? head.substr(17, size - 19) : "-";
}

TEST(mend, a_folded_line_becomes_one) {
    EXPECT_EQ(mended("A: b\r\n c\r\nD: e\r\n"), "A: b   c\r\nD: e\r\n");
    EXPECT_EQ(mended("A: b\r\n\tc\r\n  d\r\n"), "A: b  \tc    d\r\n");
    EXPECT_EQ(mended("A:\r\n b\r\n"), "A:   b\r\n");
    EXPECT_EQ(mended("A: b\r\n \r\nD: e\r\n"), "A: b   \r\nD: e\r\n");
    EXPECT_EQ(mended("A: b\r\n c: d\r\n"), "A: b   c: d\r\n");
}

TEST(mend, space_before_the_colon_goes_behind_it) {
    EXPECT_EQ(mended("A : b\r\n"), "A:  b\r\n");
    EXPECT_EQ(mended("A \t:b\r\nC: d\r\n"), "A:  b\r\nC: d\r\n");
    EXPECT_EQ(mended("A : b\r\n c\r\n"), "A:  b   c\r\n");
}

TEST(mend, everything_else_stays) {
    for (const char* lines :
         {"A: b\r\n", "A: b : c\r\n", "A b: c\r\n", ": a\r\n", " : a\r\n", "A\r\n", "A \r\n", " a\r\n", ""})
        EXPECT_EQ(mended(lines), "-") << lines;
    std::string cut = "HTTP/1.1 200 OK\r\nA: b\r\n";
    EXPECT_FALSE(mend_response_head(cut));
    EXPECT_EQ(head_end("HTTP/1.1 200 OK\r\n\r\nbody"), 19u);
    EXPECT_EQ(head_end("HTTP/1.1 200 OK\r\n"), std::string_view::npos);
}

}  // namespace
}  // namespace rondo::http::h1
