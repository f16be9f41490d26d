// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/multipart.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

using event = multipart_parser::event;

// What the parser tells, as text: "[name|file|type:content]..." and the outcome.
std::string read_pieces(const std::vector<std::string>& pieces, std::string_view boundary,
                        const multipart_limits& limits) {
    multipart_parser parser(boundary, limits);
    std::string out;
    for (const std::string& piece : pieces) {
        std::string_view in = piece;
        for (;;) {
            const auto result = parser.parse(in);
            EXPECT_LE(result.consumed, in.size());
            in.remove_prefix(result.consumed);
            if (result.what == event::part_begin) {
                const multipart_part& part = parser.part();
                out += "[" + part.name + "|" + part.filename.value_or("-") + "|" + part.content_type + ":";
            } else if (result.what == event::part_data) {
                EXPECT_FALSE(result.data.empty());
                out += result.data;
            } else if (result.what == event::part_end) {
                out += "]";
            } else if (result.what == event::error) {
                return out + " error " + std::to_string(static_cast<int>(parser.error()));
            } else {
                break;
            }
        }
    }
    return out + (parser.done() ? " done" : " incomplete");
}

std::string read(const std::string& body, std::string_view boundary = "XX", const multipart_limits& limits = {}) {
    const std::string whole = read_pieces({body}, boundary, limits);
    std::vector<std::string> bytes;
    for (const char c : body) bytes.emplace_back(1, c);
    EXPECT_EQ(read_pieces(bytes, boundary, limits), whole);
    for (std::size_t cut = 0; cut <= body.size() && body.size() < 3000; ++cut) {
        EXPECT_EQ(read_pieces({body.substr(0, cut), body.substr(cut)}, boundary, limits), whole) << "cut at " << cut;
    }
    return whole;
}

std::string part(const std::string& name, const std::string& content) {
    return "--XX\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + content + "\r\n";
}

std::string error(multipart_error e) { return " error " + std::to_string(static_cast<int>(e)); }

TEST(multipart, parts) {
    EXPECT_EQ(read(part("a", "1") + part("b", "2\r\n3") + "--XX--\r\n"), "[a|-|:1][b|-|:2\r\n3] done");
    EXPECT_EQ(read("--XX\r\nContent-Type: text/plain\r\ncontent-disposition:form-data;name=f; filename=\"a "
                   "b.txt\"\r\nX: y\r\n\r\n"
                   "data\r\n--XX--"),
              "[f|a b.txt|text/plain:data] done");
    EXPECT_EQ(read(part("a", "") + "--XX--\r\n"), "[a|-|:] done");
    EXPECT_EQ(read("--XX--"), " done");
}

TEST(multipart, preamble_padding_and_epilogue) {
    EXPECT_EQ(read("to be ignored\r\n-XX\r\n" + part("a", "1") + "--XX--\r\nepilogue --XX\r\n"), "[a|-|:1] done");
    EXPECT_EQ(read("\r\n" + part("a", "1") + "--XX--"), "[a|-|:1] done");
    EXPECT_EQ(read("--XX \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX--"), "[a|-|:1] done");
    EXPECT_EQ(read("x--XX\r\n"), " incomplete");
}

TEST(multipart, content_that_looks_like_a_boundary) {
    const std::string content = "\r\n-\r\n--\r\n--X\r\r\n--Xx\r\n\n--XX\n\r--XX\r\r\n";
    EXPECT_EQ(read(part("a", content) + "--XX--"), "[a|-|:" + content + "] done");
    EXPECT_EQ(read(part("a", "--XX") + "--XX--"), "[a|-|:--XX] done");
}

TEST(multipart, incomplete) {
    const std::string body = part("a", "1") + "--XX--";
    for (std::size_t size = 0; size < body.size(); ++size) {
        EXPECT_TRUE(read(body.substr(0, size)).ends_with(" incomplete")) << size;
    }
}

TEST(multipart, file_names) {
    const auto name_of = [](const std::string& parameter) {
        return read("--XX\r\nContent-Disposition: form-data; name=f; filename=" + parameter + "\r\n\r\n\r\n--XX--");
    };
    EXPECT_EQ(name_of("\"C:\\dir\\file.txt\""), "[f|C:\\dir\\file.txt|:] done") << "as browsers send it";
    EXPECT_EQ(name_of("\"a\\\"b\""), "[f|a\"b|:] done");
    EXPECT_EQ(name_of("\"\xc3\xa9; .txt\""), "[f|\xc3\xa9; .txt|:] done");
    EXPECT_EQ(name_of("\"\""), "[f||:] done");
}

TEST(multipart, bad_boundaries) {
    for (const char* after : {"X\r\n", "-X", "\n", "\rX", "- -"}) {
        EXPECT_EQ(read("--XX" + std::string(after)), error(multipart_error::bad_boundary)) << after;
        EXPECT_EQ(read(part("a", "1") + "--XX" + after), "[a|-|:1]" + error(multipart_error::bad_boundary)) << after;
    }
}

TEST(multipart, bad_heads) {
    for (const char* head :
         {"", "X: y\r\n", "Content-Disposition: form-data\r\n", "Content-Disposition: attachment; name=a\r\n",
          "Content-Disposition: form-data; name\r\n", "Content-Disposition: form-data; name=a; name=b\r\n",
          "Content-Disposition: form-data; name=\"a\r\n", "Content-Disposition: form-data; name=a\r\n folded\r\n",
          "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n",
          "Content-Disposition : form-data; name=a\r\n", "no-colon\r\n", "X: \x01\r\n",
          "Content-Disposition: form-data; name=a\n"}) {
        EXPECT_EQ(read("--XX\r\n" + std::string(head) + "\r\n1\r\n--XX--"), error(multipart_error::bad_part_head))
            << head;
    }
}

TEST(multipart, limits) {
    const std::string two = part("a", "1") + part("b", "2") + "--XX--";
    EXPECT_EQ(read(two, "XX", {.parts = 2}), "[a|-|:1][b|-|:2] done");
    EXPECT_EQ(read(two, "XX", {.parts = 1}), "[a|-|:1]" + error(multipart_error::too_many_parts));
    EXPECT_EQ(read("--XX\r\nX: " + std::string(200, 'y'), "XX", {.head_bytes = 100}),
              error(multipart_error::head_too_large));
}

TEST(multipart, the_boundary_itself) {
    EXPECT_TRUE(valid_boundary("----WebKitFormBoundary7MA4YWxkTrZu0gW"));
    EXPECT_TRUE(valid_boundary("a b'()+_,-./:=?"));
    EXPECT_TRUE(valid_boundary(std::string(70, 'a')));
    for (const std::string& bad : {std::string(), std::string("a "), std::string(71, 'a'), std::string("a\r\n"),
                                   std::string("a\"b"), std::string("\xc3\xa9"), std::string("a;b")}) {
        EXPECT_FALSE(valid_boundary(bad)) << bad;
        EXPECT_THROW(multipart_parser{bad}, std::invalid_argument);
    }
    EXPECT_EQ(multipart_boundary("Multipart/Form-Data; charset=utf-8; boundary=\"a b\""), "a b");
    for (const char* bad : {"multipart/form-data", "multipart/mixed; boundary=a", "multipart/form-data; boundary=\"\"",
                            "multipart/form-data; boundary=\"a;b\"", "junk"}) {
        EXPECT_EQ(multipart_boundary(bad), std::nullopt) << bad;
    }
}

}  // namespace
}  // namespace rondo::http
