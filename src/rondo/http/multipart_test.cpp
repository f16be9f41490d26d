// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/multipart.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace rondo::http {
namespace {

using event = multipart_parser::event;

// The events of the parser as text: "[name|file|type:content]..." and the outcome.
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
            if (result.kind == event::part_begin) {
                const multipart_part& part = parser.part();
                out += "[" + part.name + "|" + part.filename.value_or("-") + "|" + part.content_type + ":";
            } else if (result.kind == event::part_data) {
                EXPECT_FALSE(result.data.empty());
                out += result.data;
            } else if (result.kind == event::part_end) {
                out += "]";
            } else if (result.kind == event::error) {
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

TEST(Multipart, parses_parts) {
    EXPECT_EQ(read(part("a", "1") + part("b", "2\r\n3") + "--XX--\r\n"), "[a|-|:1][b|-|:2\r\n3] done");
    EXPECT_EQ(read("--XX\r\nContent-Type: text/plain\r\ncontent-disposition:form-data;name=f; filename=\"a "
                   "b.txt\"\r\nX: y\r\n\r\n"
                   "data\r\n--XX--"),
              "[f|a b.txt|text/plain:data] done");
    EXPECT_EQ(read(part("a", "") + "--XX--\r\n"), "[a|-|:] done");
    EXPECT_EQ(read("--XX--"), " done");
}

TEST(Multipart, skips_preamble_padding_and_epilogue) {
    EXPECT_EQ(read("to be ignored\r\n-XX\r\n" + part("a", "1") + "--XX--\r\nepilogue --XX\r\n"), "[a|-|:1] done");
    EXPECT_EQ(read("\r\n" + part("a", "1") + "--XX--"), "[a|-|:1] done");
    EXPECT_EQ(read("--XX \t\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--XX--"), "[a|-|:1] done");
    EXPECT_EQ(read("x--XX\r\n"), " incomplete");
}

TEST(Multipart, content_may_look_like_a_boundary) {
    const std::string content = "\r\n-\r\n--\r\n--X\r\r\n--Xx\r\n\n--XX\n\r--XX\r\r\n";
    EXPECT_EQ(read(part("a", content) + "--XX--"), "[a|-|:" + content + "] done");
    EXPECT_EQ(read(part("a", "--XX") + "--XX--"), "[a|-|:--XX] done");
}

TEST(Multipart, a_truncated_body_is_incomplete) {
    const std::string body = part("a", "1") + "--XX--";
    for (std::size_t size = 0; size < body.size(); ++size) {
        EXPECT_TRUE(read(body.substr(0, size)).ends_with(" incomplete")) << size;
    }
}

TEST(Multipart, parses_file_names) {
    const auto name_of = [](const std::string& parameter) {
        return read("--XX\r\nContent-Disposition: form-data; name=f; filename=" + parameter + "\r\n\r\n\r\n--XX--");
    };
    EXPECT_EQ(name_of("\"C:\\dir\\file.txt\""), "[f|C:\\dir\\file.txt|:] done") << "as browsers send it";
    EXPECT_EQ(name_of("\"a\\\"b\""), "[f|a\"b|:] done");
    EXPECT_EQ(name_of("\"\xc3\xa9; .txt\""), "[f|\xc3\xa9; .txt|:] done");
    EXPECT_EQ(name_of("\"\""), "[f||:] done");
    EXPECT_EQ(name_of("\"C:\\\""), "[f|C:\\|:] done") << "the last backslash is not an escape";
    EXPECT_EQ(name_of("\"C:\\\"; x=\"y\""), "[f|C:\\|:] done");
    EXPECT_EQ(name_of("\"C:\\dir\\\" ; x=\"y\\\""), "[f|C:\\dir\\|:] done");
    EXPECT_EQ(name_of("\"a\\\"; x=1\""), "[f|a\"; x=1|:] done") << "an escape that parses is one";
    EXPECT_EQ(name_of("report (1).txt"), "[f|report (1).txt|:] done") << "without quotes";
    EXPECT_EQ(name_of("(a)[b]{c}<d>@e,f:g?h=i/j"), "[f|(a)[b]{c}<d>@e,f:g?h=i/j|:] done");
    EXPECT_EQ(name_of("C:\\x.txt ; y=z"), "[f|C:\\x.txt|:] done");
    EXPECT_EQ(name_of("\"(a) b.txt\""), "[f|(a) b.txt|:] done");
}

TEST(Multipart, decodes_names_as_browsers_encode_them) {
    const auto parts_of = [](const std::string& parameters) {
        return read("--XX\r\nContent-Disposition: form-data; " + parameters + "\r\n\r\n\r\n--XX--");
    };
    EXPECT_EQ(parts_of("name=\"a%22b%0D%0Ac\"; filename=\"%22.txt\""), "[a\"b\r\nc|\".txt|:] done");
    EXPECT_EQ(parts_of("name=\"100%25 %20%0d%0a%2%\"; filename=\"%C3%A9\""), "[100%25 %20%0d%0a%2%|%C3%A9|:] done")
        << "nothing else is an escape";
    EXPECT_EQ(parts_of("name=\"%2522\""), "[%2522|-|:] done") << "decoded once";
    EXPECT_EQ(parts_of("name=a%22b"), "[a%22b|-|:] done") << "browsers quote what they encode";
    EXPECT_EQ(parts_of("NAME=\"a\"; FileName=\"b\""), "[a|b|:] done");
    EXPECT_EQ(parts_of("name=\"\""), "[|-|:] done");
    EXPECT_EQ(parts_of("name = \"a\""), "[a|-|:] done");
    EXPECT_EQ(parts_of("name=\"a\";"), "[a|-|:] done");
    EXPECT_EQ(parts_of("filename=\"b\"; x; name=\"a\""), error(multipart_error::bad_part_head));
}

TEST(Multipart, decodes_extended_file_names) {
    const auto name_of = [](const std::string& parameters) {
        return read("--XX\r\nContent-Disposition: form-data; name=f; " + parameters + "\r\n\r\n\r\n--XX--");
    };
    EXPECT_EQ(name_of("filename*=UTF-8''%e2%82%ac.txt"), "[f|\xe2\x82\xac.txt|:] done") << "without filename";
    EXPECT_EQ(name_of("filename=\"euro.txt\"; filename*=utf-8'en'%E2%82%AC.txt"), "[f|\xe2\x82\xac.txt|:] done");
    EXPECT_EQ(name_of("filename*=utf-8'en'%E2%82%AC.txt; filename=\"euro.txt\""), "[f|\xe2\x82\xac.txt|:] done");
    EXPECT_EQ(name_of("filename*=ISO-8859-1''%E9.txt"), "[f|\xc3\xa9.txt|:] done");
    EXPECT_EQ(name_of("filename*=koi8-r''%C1; filename=\"a\""), "[f|a|:] done") << "unknown character set";
    EXPECT_EQ(name_of("filename*=UTF-8''%2522"), "[f|%22|:] done") << "decoded once";
}

TEST(Multipart, joins_folded_lines) {
    EXPECT_EQ(read("--XX\r\nContent-Disposition: form-data;\r\n name=\"a\";\r\n\t filename=\"b\"\r\nX: y\r\n  z\r\n\r\n"
                   "1\r\n--XX--"),
              "[a|b|:1] done");
}

TEST(Multipart, rejects_bad_boundary_lines) {
    for (const char* after : {"X\r\n", "-X", "\n", "\rX", "- -"}) {
        EXPECT_EQ(read("--XX" + std::string(after)), error(multipart_error::bad_boundary)) << after;
        EXPECT_EQ(read(part("a", "1") + "--XX" + after), "[a|-|:1]" + error(multipart_error::bad_boundary)) << after;
    }
}

TEST(Multipart, rejects_bad_part_heads) {
    for (const char* head : {"",
                             "X: y\r\n",
                             "Content-Disposition: form-data\r\n",
                             "Content-Disposition: attachment; name=a\r\n",
                             "Content-Disposition: form-data; name\r\n",
                             "Content-Disposition: form-data; name=a; name=b\r\n",
                             "Content-Disposition: form-data; name=\"a\r\n",
                             "Content-Disposition: form-data; name=a\r\n \r\n",
                             " folded: x\r\nContent-Disposition: form-data; name=a\r\n",
                             "Content-Disposition: form-data; name=a\"b\r\n",
                             "Content-Disposition: form-data; name=\"a\"b\r\n",
                             "Content-Disposition: form-data; name=\"a\\\"b\r\n",
                             "Content-Disposition: form-data; filename=\"a\"\r\n",
                             "Content-Disposition: form-data; name=a; filename=b; filename=c\r\n",
                             "Content-Disposition: form-data; name=a; filename*=UTF-8''%zz\r\n",
                             "Content-Disposition: form-data; name=a; filename*=koi8-r''%C1\r\n",
                             "Content-Disposition: form-data; name=a; filename*=UTF-8''%FF\r\n",
                             "Content-Disposition: form-data; name=a; filename*=UTF-8''a%00\r\n",
                             "Content-Disposition: form-data; name=a; filename*=b\r\n",
                             "Content-Disposition: form-data; name=a; filename*=UTF-8''b; filename*=UTF-8''c\r\n",
                             "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n",
                             "Content-Disposition : form-data; name=a\r\n",
                             "no-colon\r\n",
                             "X: \x01\r\n",
                             "Content-Disposition: form-data; name=a\n"}) {
        EXPECT_EQ(read("--XX\r\n" + std::string(head) + "\r\n1\r\n--XX--"), error(multipart_error::bad_part_head))
            << head;
    }
}

TEST(Multipart, enforces_limits) {
    const std::string two = part("a", "1") + part("b", "2") + "--XX--";
    EXPECT_EQ(read(two, "XX", {.parts = 2}), "[a|-|:1][b|-|:2] done");
    EXPECT_EQ(read(two, "XX", {.parts = 1}), "[a|-|:1]" + error(multipart_error::too_many_parts));
    EXPECT_EQ(read("--XX\r\nX: " + std::string(200, 'y'), "XX", {.head_bytes = 100}),
              error(multipart_error::head_too_large));
}

TEST(Multipart, accepts_any_visible_characters_in_a_boundary) {
    const std::string boundary = "<[{@;\"\\|--~}]>" + std::string(180, '*');
    const std::string head = "\r\nContent-Disposition: form-data; name=a\r\n\r\n";
    EXPECT_EQ(read("--" + boundary + head + "1\r\n--" + boundary + "--", boundary), "[a|-|:1] done");
}

TEST(Multipart, parses_the_boundary_parameter) {
    EXPECT_TRUE(is_valid_boundary("----WebKitFormBoundary7MA4YWxkTrZu0gW"));
    EXPECT_TRUE(is_valid_boundary("a b'()+_,-./:=?"));
    EXPECT_TRUE(is_valid_boundary(std::string(200, 'a')));
    EXPECT_TRUE(is_valid_boundary("a;b\"\\<>@[]{}|~^`!#$%&*"));
    for (const std::string& bad : {std::string(), std::string("a "), std::string(201, 'a'), std::string("a\r\n"),
                                   std::string("\xc3\xa9"), std::string("a\tb")}) {
        EXPECT_FALSE(is_valid_boundary(bad)) << bad;
        EXPECT_THROW(multipart_parser{bad}, std::invalid_argument);
    }
    EXPECT_EQ(multipart_boundary("Multipart/Form-Data; charset=utf-8; boundary=\"a b\""), "a b");
    EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=\"a;b\\\"c\""), "a;b\"c");
    EXPECT_EQ(multipart_boundary("multipart/form-data;boundary=----=_Part(1)/2:3@[x], y ;charset=utf-8"),
              "----=_Part(1)/2:3@[x], y");
    EXPECT_EQ(multipart_boundary("multipart/form-data; BOUNDARY={5b1-~!}"), "{5b1-~!}");
    EXPECT_EQ(multipart_boundary("multipart/form-data; charset=\"utf-8\"; boundary=" + std::string(200, '-')),
              std::string(200, '-'));
    for (const char* bad : {"multipart/form-data", "multipart/mixed; boundary=a", "multipart/form-data; boundary=\"\"",
                            "multipart/form-data; boundary=", "multipart/form-data; boundary=\"a",
                            "multipart/form-data; boundary=a; boundary=b", "multipart/form-data, a; boundary=a",
                            "multipart/form-data boundary=a", "junk"}) {
        EXPECT_EQ(multipart_boundary(bad), std::nullopt) << bad;
    }
}

}  // namespace
}  // namespace rondo::http
