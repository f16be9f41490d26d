// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/chunked.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace rondo::http::h1 {
namespace {

using namespace std::string_literals;

// The result of decoding a body as text: "data|trailers|outcome|remaining bytes".
chunked_decoder::result decode_one(chunked_decoder& decoder, std::span<char> in) {
    const auto result = decoder.decode({in.data(), in.size()});
    if (result.kind == chunked_decoder::event::data) {
        EXPECT_EQ(result.data.data() + result.data.size(), in.data() + result.consumed);
    }
    return result;
}
chunked_decoder::result decode_joined(chunked_decoder& decoder, std::span<char> in) {
    return decoder.decode_joined(in);
}

std::string decode_pieces(std::vector<std::string> pieces,
                          chunked_decoder::result (*decode)(chunked_decoder&, std::span<char>) = decode_one,
                          chunked_decoder::peer sender = chunked_decoder::peer::client) {
    chunked_decoder decoder(sender);
    std::string data;
    std::string rest;
    chunked_decoder::event last = chunked_decoder::event::need_more;
    for (std::string& piece : pieces) {
        if (decoder.done()) {
            rest += piece;
            continue;
        }
        std::span<char> in(piece);
        for (;;) {
            const auto result = decode(decoder, in);
            last = result.kind;
            EXPECT_LE(result.consumed, in.size());
            if (last == chunked_decoder::event::data) {
                EXPECT_FALSE(result.data.empty());
            }
            data += result.data;
            in = in.subspan(result.consumed);
            if (last != chunked_decoder::event::data) break;
        }
        if (last == chunked_decoder::event::error) return data + "|error";
        EXPECT_TRUE(last != chunked_decoder::event::need_more || in.empty());
        rest.append(in.data(), in.size());
    }
    if (last != chunked_decoder::event::done) return data + "|incomplete";
    std::string trailers(decoder.trailers().wire());
    return data + "|" + trailers + "|done|" + rest;
}

// Decodes the body in one piece; checks that byte by byte, and cut in two anywhere, the result is the same.
std::string decode(const std::string& body, chunked_decoder::peer sender = chunked_decoder::peer::client) {
    const std::string whole = decode_pieces({body}, decode_one, sender);
    EXPECT_EQ(decode_pieces({body}, decode_joined, sender), whole);
    std::vector<std::string> bytes;
    for (const char c : body) bytes.emplace_back(1, c);
    EXPECT_EQ(decode_pieces(bytes, decode_one, sender), whole);
    for (std::size_t cut = 0; cut <= body.size() && body.size() < 3000; ++cut) {
        const std::vector<std::string> cut_in_two{body.substr(0, cut), body.substr(cut)};
        EXPECT_EQ(decode_pieces(cut_in_two, decode_one, sender), whole) << "cut at " << cut;
        EXPECT_EQ(decode_pieces(cut_in_two, decode_joined, sender), whole) << "cut at " << cut;
    }
    return whole;
}

std::string error_after(std::string_view data) { return std::string(data) + "|error"; }

TEST(Chunked, decodes_bodies) {
    EXPECT_EQ(decode("0\r\n\r\n"), "||done|");
    EXPECT_EQ(decode("5\r\nhello\r\n0\r\n\r\n"), "hello||done|");
    EXPECT_EQ(decode("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET "), "hello world||done|GET ");
    EXPECT_EQ(decode("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"), "01234567890123456789a||done|");
    EXPECT_EQ(decode("0005\r\nhello\r\n000\r\n\r\n"), "hello||done|");
    EXPECT_EQ(decode("0000000000000005\r\nhello\r\n0000000000000000\r\n\r\n"), "hello||done|");
    EXPECT_EQ(decode("3\r\n\r\n\n\r\n0\r\n\r\n"), "\r\n\n||done|");
}

TEST(Chunked, a_truncated_body_is_incomplete) {
    for (const std::string& body : {""s, "5"s, "5\r"s, "5\r\n"s, "0"s, "0\r\n"s, "0\r\n\r"s, "0\r\nX: y\r\n"s,
                                    "7fffffffffffffff\r\n"s, "5;a=\"x"s}) {
        EXPECT_EQ(decode(body), "|incomplete") << body;
    }
    EXPECT_EQ(decode("5\r\nhel"), "hel|incomplete");
    EXPECT_EQ(decode("5\r\nhello\r"), "hello|incomplete");
}

TEST(Chunked, rejects_bad_sizes) {
    for (const std::string& size : {"g"s,
                                    "5g"s,
                                    "5 5"s,
                                    "5 "s,
                                    " 5"s,
                                    "5.0"s,
                                    "-5"s,
                                    "+5"s,
                                    "-0"s,
                                    "0x5"s,
                                    "5,5"s,
                                    "5\0"s,
                                    "\0005"s,
                                    "5\v"s,
                                    "5\xa0"s,
                                    "5\""s,
                                    ""s,
                                    "\r\n"s,
                                    ";a=b"s,
                                    "00000000000000005"s,
                                    "8000000000000000"s,
                                    "FFFFFFFFFFFFFFFF"s,
                                    "10000000000000005"s}) {
        EXPECT_EQ(decode(size + "\r\nhello\r\n0\r\n\r\n"), error_after("")) << size;
    }
}

TEST(Chunked, rejects_bad_line_ends) {
    for (const std::string& body : {"5\nhello\r\n0\r\n\r\n"s, "5\rXhello\r\n0\r\n\r\n"s, "5\r\r\nhello\r\n0\r\n\r\n"s,
                                    "5\r\r;a\r\nhello\r\n0\r\n\r\n"s}) {
        EXPECT_EQ(decode(body), error_after("")) << body;
    }
    EXPECT_EQ(decode("5\r\nhello\n0\r\n\r\n"), error_after("hello"));
    EXPECT_EQ(decode("5\r\nhelloXX0\r\n\r\n"), error_after("hello"));
    EXPECT_EQ(decode("3\r\nhello\r\n0\r\n\r\n"), error_after("hel"));
    EXPECT_EQ(decode("5\r\nhello0\r\n\r\n"), error_after("hello"));
    EXPECT_EQ(decode("0\n\r\n"), error_after(""));
    EXPECT_EQ(decode("0\r\n\n"), error_after(""));
    EXPECT_EQ(decode("0\r\nXX\r\n"), error_after(""));
}

// RFC 9112 section 7.1.1
TEST(Chunked, parses_extensions) {
    for (const std::string_view extension :
         {";a", ";a=b", ";a=\"b;c\"", ";a=\"b\\\"c\"", " ; a = b", "\t;a;b=c;d=\"\"", ";a=b ;c", ";a=\"\xc3\xa9\t\""}) {
        EXPECT_EQ(decode("5" + std::string(extension) + "\r\nhello\r\n0" + std::string(extension) + "\r\n\r\n"),
                  "hello||done|")
            << extension;
    }
    for (const std::string& extension :
         {";"s,         ";;a"s,         ";=b"s,           ";a="s,   ";a=;"s,   ";a b"s,
          ";a=b c"s,    ";a=\"b"s,      ";a=\"b\"c"s,     ";a\0b"s, ";\x01"s,  ";a=\"\x01\""s,
          ";a=\"\n\""s, ";a=\"\r\n\""s, ";a=\"\\\x01\""s, ";a\n"s,  ";a=b\n"s, ";\xc3\xa9"s,
          ";a\r"s,      ";a "s,         ";a=b "s}) {
        EXPECT_EQ(decode("5" + extension + "\r\nhello\r\n0\r\n\r\n"), error_after("")) << extension;
    }
}

TEST(Chunked, limits_extensions_per_body) {
    const std::string chunk = "1;" + std::string(1000, 'a') + "\r\nx\r\n";
    std::string body;
    for (int i = 0; i < 16; ++i) body += chunk;
    EXPECT_EQ(decode_pieces({body + "0\r\n\r\n"}), std::string(16, 'x') + "||done|");
    EXPECT_EQ(decode_pieces({body + chunk}), error_after(std::string(16, 'x')));
    EXPECT_EQ(decode_pieces({"1;" + std::string(20000, 'a')}), error_after(""));
}

// RFC 9112 section 7.1.2
TEST(Chunked, parses_trailers) {
    EXPECT_EQ(decode("0\r\nX-T: v\r\n\r\n"), "|X-T: v\r\n|done|");
    EXPECT_EQ(decode("1\r\nx\r\n0\r\nA:1\r\nB: \t 2 \t\r\nC:\r\n\r\nrest"), "x|A: 1\r\nB: 2\r\nC: \r\n|done|rest");
    for (const std::string& line : {"X T: v"s, "X-T : v"s, "no-colon"s, ": v"s, "X-T: a\0b"s, "X\0T: v"s, "X-T: a\rb"s,
                                    " X: v"s, "X: a\r\n b"s, "X-T: a\r"s}) {
        EXPECT_EQ(decode("0\r\n" + line + "\r\n\r\n"), error_after("")) << line;
    }
    for (const std::string& end : {"X: a\n\r\n"s, "X: a\r\n\n"s, "X: a\n\n"s}) {
        EXPECT_EQ(decode("0\r\n" + end), error_after("")) << end;
    }
}

// RFC 9112 sections 5.1 and 5.2
TEST(Chunked, repairs_trailers_of_servers) {
    const auto decode_from_server = [](const std::string& lines) {
        return decode("1\r\nx\r\n0\r\n" + lines + "\r\nrest", chunked_decoder::peer::server);
    };
    EXPECT_EQ(decode_from_server(""), "x||done|rest");
    EXPECT_EQ(decode_from_server("X-T: v\r\nY: w\r\n"), "x|X-T: v\r\nY: w\r\n|done|rest");
    EXPECT_EQ(decode_from_server("X-T : 1\r\nY\t: 2\r\n"), "x|X-T: 1\r\nY: 2\r\n|done|rest");
    EXPECT_EQ(decode_from_server("X-T: 1\r\n 2\r\n\t3\r\nY: w\r\n"), "x|X-T: 1   2  \t3\r\nY: w\r\n|done|rest");
    EXPECT_EQ(decode_from_server("X-T:\r\n 2 : 3\r\n"), "x|X-T: 2 : 3\r\n|done|rest");
    EXPECT_EQ(decode_from_server("X-T: 1\r\n \r\n"), "x|X-T: 1\r\n|done|rest");
    EXPECT_EQ(decode_from_server("Content-Length :\r\n 5\r\n"), "x||done|rest") << "not allowed in trailers";
    for (const std::string& lines :
         {" X: v\r\n"s, "X T: v\r\n"s, "X\r\n : v\r\n"s, " : v\r\n"s, "X: a\n"s, "X: a\n b\r\n"s, "X: a\rb\r\n"s,
          "X: a\r\r\n b\r\n"s, "X: a\r\n b\n"s, "\rX: a\r\n"s})
        EXPECT_EQ(decode_from_server(lines), error_after("x")) << lines;
    const std::string endless = "0\r\nX: 1" + [] {
        std::string folds;
        for (int i = 0; i < 6000; ++i) folds += "\r\n ";
        return folds;
    }();
    EXPECT_EQ(decode_pieces({endless}, decode_one, chunked_decoder::peer::server), error_after(""));
}

TEST(Chunked, drops_fields_not_allowed_in_trailers) {
    EXPECT_EQ(
        decode("0\r\nContent-Length: 5\r\nX: 1\r\nHOST: b\r\nAuthorization: x\r\nTransfer-Encoding: chunked\r\n\r\n"),
        "|X: 1\r\n|done|");
}

TEST(Chunked, limits_trailers) {
    std::string lines;
    for (int i = 0; i < 100; ++i) lines += "X: y\r\n";
    EXPECT_TRUE(decode_pieces({"0\r\n" + lines + "\r\n"}).ends_with("|done|"));
    EXPECT_EQ(decode_pieces({"0\r\n" + lines + "X: y\r\n\r\n"}), error_after(""));
    EXPECT_EQ(decode_pieces({"0\r\nX: " + std::string(20000, 'y')}), error_after(""));
    std::vector<std::string> slow(20000, "y");
    slow.insert(slow.begin(), "0\r\nX: ");
    EXPECT_EQ(decode_pieces(slow), error_after(""));
}

TEST(Chunked, an_error_is_final) {
    chunked_decoder decoder;
    EXPECT_EQ(decoder.decode("x").kind, chunked_decoder::event::error);
    EXPECT_EQ(decoder.decode("0\r\n\r\n").kind, chunked_decoder::event::error);
    EXPECT_EQ(decoder.decode("").kind, chunked_decoder::event::error);
}

TEST(Chunked, is_small) { EXPECT_LE(sizeof(chunked_decoder), 48U); }

TEST(Chunked, knows_the_fields_allowed_in_trailers) {
    for (const char* name : {"X-Sum", "ETag", "Content-Digest", "Server-Timing", "Grpc-Status", "Content"})
        EXPECT_TRUE(is_allowed_in_trailer(name)) << name;
    for (const char* name :
         {"Connection", "Transfer-Encoding", "TE", "Trailer", "Upgrade", "Proxy-Connection", "Host", "Content-Length",
          "Content-Type", "Content-Location", "Authorization", "WWW-Authenticate", "Cookie", "Set-Cookie", "DATE"})
        EXPECT_FALSE(is_allowed_in_trailer(name)) << name;
}

}  // namespace
}  // namespace rondo::http::h1
