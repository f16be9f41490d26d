// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/request_parser.hpp>

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace rondo::http::h1 {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

// Holds the bytes in memory of exactly their size, so that sanitizers find a read past the end.
struct parsed_head {
    explicit parsed_head(std::string_view text, const parse_limits& limits = {})
        : bytes(std::make_unique<char[]>(text.size())), size(text.size()) {
        std::copy(text.begin(), text.end(), bytes.get());
        result = parse_request_head({bytes.get(), size}, limits, storage, head);
    }

    [[nodiscard]] std::string_view in(slice s) const { return s.view(bytes.get()); }
    [[nodiscard]] fields_view fields() const { return head.view(bytes.get()); }
    [[nodiscard]] std::string outcome() const { return std::string(result ? "accepted" : to_string(result.error())); }

    std::unique_ptr<char[]> bytes;
    std::size_t size;
    std::array<field_ref, 128> storage{};
    request_head head{};
    std::expected<void, parse_error> result;
};

// The outcome of parsing the text, after checking that each prefix is incomplete or rejected with the same error.
std::string outcome_of(std::string_view text, const parse_limits& limits = {}) {
    const parsed_head whole(text, limits);
    for (std::size_t size = 0; size < text.size(); ++size) {
        const parsed_head part(text.substr(0, size), limits);
        if (part.result) {
            EXPECT_TRUE(whole.result) << "a prefix of a rejected head was accepted";
            EXPECT_GE(size, whole.head.size);
        } else if (part.result.error() != parse_error::incomplete) {
            EXPECT_EQ(part.outcome(), whole.outcome()) << "at a prefix of " << size << " bytes";
        }
    }
    return whole.outcome();
}

std::string with_field(std::string_view line) {
    return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(line) + "\r\n\r\n";
}

std::string with_host(std::string_view value) { return "GET / HTTP/1.1\r\nHost: " + std::string(value) + "\r\n\r\n"; }

std::string with_target(std::string_view target, std::string_view method = "GET") {
    return std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

std::string with_version(std::string_view version) { return "GET / " + std::string(version) + "\r\nHost: a\r\n\r\n"; }

TEST(RequestHead, parses_a_simple_get) {
    const parsed_head p("GET /a/b?x=1&y HTTP/1.1\r\nHost: example.com:8080\r\nAccept: */*\r\n\r\nrest");
    ASSERT_EQ(p.outcome(), "accepted");
    EXPECT_EQ(p.head.size, p.size - 4);
    EXPECT_EQ(p.head.method, method::get);
    EXPECT_EQ(p.in(p.head.method_text), "GET");
    EXPECT_EQ(p.in(p.head.target), "/a/b?x=1&y");
    EXPECT_EQ(p.in(p.head.path), "/a/b");
    EXPECT_EQ(p.in(p.head.query), "x=1&y");
    EXPECT_EQ(p.in(p.head.authority), "example.com:8080");
    EXPECT_EQ(p.head.form, target_form::origin);
    EXPECT_EQ(p.head.minor, 1);
    EXPECT_EQ(p.head.body, framing::none);
    EXPECT_EQ(p.head.expect, expectation::none);
    EXPECT_TRUE(p.head.keep_alive);
    EXPECT_TRUE(p.head.has_query);
    EXPECT_FALSE(p.head.upgrade);
    ASSERT_EQ(p.fields().size(), 2U);
    EXPECT_EQ(p.fields()[1], (field{"Accept", "*/*"}));
}

TEST(RequestHead, empty_input_is_incomplete) {
    EXPECT_EQ(parsed_head("").outcome(), "incomplete");
    std::array<field_ref, 1> storage;
    request_head head;
    const auto result = parse_request_head({}, {}, storage, head);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), parse_error::incomplete);
}

TEST(RequestHead, every_proper_prefix_is_incomplete) {
    const auto text = "POST /x?q#"sv.substr(0, 9);
    const std::string whole =
        std::string(text) +
        " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\nX-Long: " + std::string(70, 'v') +
        "\r\n\r\n";
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_EQ(parsed_head(whole.substr(0, size)).outcome(), "incomplete") << size;
    }
    EXPECT_EQ(parsed_head(whole).outcome(), "accepted");
}

TEST(RequestHead, offsets_stay_valid_after_a_copy) {
    const parsed_head p("GET /x HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\r\n");
    ASSERT_TRUE(p.result);
    const std::string copy(p.bytes.get(), p.head.size);
    EXPECT_EQ(p.head.path.view(copy.data()), "/x");
    EXPECT_EQ(p.head.view(copy.data()).find("x-a"), "1");
}

TEST(RequestHead, skips_leading_empty_lines) {
    for (const std::size_t lines : {1U, 2U}) {
        std::string text;
        for (std::size_t i = 0; i < lines; ++i) text += "\r\n";
        const parsed_head p(text + "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        ASSERT_EQ(p.outcome(), "accepted");
        EXPECT_EQ(p.head.size, p.size);
        EXPECT_EQ(p.in(p.head.method_text), "GET");
        EXPECT_EQ(p.in(p.head.authority), "a");
    }
    EXPECT_EQ(outcome_of("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "bad line end");
    EXPECT_EQ(outcome_of("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "bad method");
    EXPECT_EQ(outcome_of("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "bad line end");
}

// RFC 9112 section 2.2
TEST(RequestHead, only_crlf_ends_a_line) {
    EXPECT_EQ(outcome_of("GET / HTTP/1.1\nHost: a\n\n"), "bad line end");
    EXPECT_EQ(outcome_of("GET / HTTP/1.1\nHost: a\r\n\r\n"), "bad line end");
    EXPECT_EQ(outcome_of("GET / HTTP/1.1\r\nHost: a\n\r\n"), "bad line end");
    EXPECT_EQ(outcome_of("GET / HTTP/1.1\r\nHost: a\r\n\n"), "bad line end");
    EXPECT_EQ(outcome_of("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"), "bad line end");
    EXPECT_EQ(outcome_of("GET / HTTP/1.1\rHost: a\r\n\r\n"), "bad line end");
    EXPECT_EQ(outcome_of("GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"), "bad line end");
    EXPECT_EQ(outcome_of("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n"), "bad line end");
    EXPECT_EQ(outcome_of("GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n"), "bad line end");
    EXPECT_EQ(outcome_of("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"), "bad line end");
    EXPECT_EQ(outcome_of("GET /\r\n"), "bad request target");
    EXPECT_EQ(outcome_of("GET /\nHTTP/1.1\r\nHost: a\r\n\r\n"), "bad request target");
    EXPECT_EQ(outcome_of("GET\r/ HTTP/1.1\r\nHost: a\r\n\r\n"), "bad method");
}

// RFC 9112 section 3.1, RFC 9110 section 9.1
TEST(RequestHead, parses_methods) {
    for (const auto m : {method::get, method::head, method::post, method::put, method::delete_, method::trace,
                         method::patch, method::options}) {
        const parsed_head p(with_target("/", to_string(m)));
        ASSERT_EQ(p.outcome(), "accepted") << to_string(m);
        EXPECT_EQ(p.head.method, m);
    }
    for (const std::string_view other : {"get", "GETS", "G", "!#$%&'*+-.^_`|~09aZ", "PROPFIND", "GET-"}) {
        const parsed_head p(with_target("/", other));
        ASSERT_EQ(p.outcome(), "accepted") << other;
        EXPECT_EQ(p.head.method, method::other);
        EXPECT_EQ(p.in(p.head.method_text), other);
    }
    for (const auto& bad : {""s, "GE\0T"s, "\0GET"s, "GET\0"s, "GE\x01T"s, "GE\x7fT"s, "GE\x80T"s, "\xef\xbb\xbfGET"s,
                            "G:T"s, "G\tT"s, "(GET)"s, "GET/"s}) {
        EXPECT_EQ(outcome_of(with_target("/", bad)), "bad method") << bad;
    }
}

TEST(RequestHead, requires_one_space_between_the_parts) {
    EXPECT_EQ(outcome_of("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), "bad request target");
    EXPECT_EQ(outcome_of("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"), "bad version");
    EXPECT_EQ(outcome_of("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), "bad version");
    EXPECT_EQ(outcome_of("GET / HTTP/1.1 x\r\nHost: a\r\n\r\n"), "bad version");
    EXPECT_EQ(outcome_of("GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"), "bad method");
    EXPECT_EQ(outcome_of("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n"), "bad request target");
    EXPECT_EQ(outcome_of(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "bad method");
    EXPECT_EQ(outcome_of("GET HTTP/1.1\r\nHost: a\r\n\r\n"), "bad request target");
    EXPECT_EQ(outcome_of("GET\r\n\r\n"), "bad method");
}

// RFC 9112 section 2.3
TEST(RequestHead, parses_versions) {
    EXPECT_EQ(parsed_head(with_version("HTTP/1.0")).head.minor, 0);
    for (const std::string_view version : {"HTTP/1.1", "HTTP/1.2", "HTTP/1.9"}) {
        const parsed_head p(with_version(version));
        ASSERT_EQ(p.outcome(), "accepted") << version;
        EXPECT_EQ(p.head.minor, 1);
    }
    for (const std::string_view version : {"HTTP/0.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9", "HTTP/2.1"}) {
        EXPECT_EQ(outcome_of(with_version(version)), "version not supported") << version;
    }
    for (const std::string_view version :
         {"HTTP/1",   "HTTP/1.",   "HTTP/.1",   "HTTP/1.1.1",        "HTTP/11.1", "HTTP/1.10", "HTTP/01.1", "HTTP/1.x",
          "HTTP/1,1", "HTTP /1.1", "HTTP/-1.1", "HTTP/+1.1",         "HTTP/1.1a", "HTTP/111",  "HTTP//1.1", "HTTP1.1",
          "http/1.1", "Http/1.1",  "HTTPS/1.1", "HTTP/4294967297.1", "ICY/1.1",   "X",         ""}) {
        EXPECT_EQ(outcome_of(with_version(version)), "bad version") << version;
    }
    EXPECT_EQ(outcome_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "version not supported");
}

// RFC 9112 section 3.2.1, RFC 3986
TEST(RequestHead, parses_origin_form) {
    const parsed_head p(with_target("//a//b/../%2e/%C3%A9;v=1,2:@!$&'()*+-._~[]?a=b?c/d&e=%20"));
    ASSERT_EQ(p.outcome(), "accepted");
    EXPECT_EQ(p.in(p.head.path), "//a//b/../%2e/%C3%A9;v=1,2:@!$&'()*+-._~[]");
    EXPECT_EQ(p.in(p.head.query), "a=b?c/d&e=%20");

    const parsed_head empty_query(with_target("/?"));
    ASSERT_EQ(empty_query.outcome(), "accepted");
    EXPECT_TRUE(empty_query.head.has_query);
    EXPECT_EQ(empty_query.in(empty_query.head.query), "");
    EXPECT_FALSE(parsed_head(with_target("/")).head.has_query);
}

// As sent by browsers (the URL Standard) and other clients: every byte except controls, space and '#'.
TEST(RequestHead, accepts_the_bytes_allowed_in_a_target) {
    for (int c = 0; c < 256; ++c) {
        const bool bad = c <= 0x20 || c == 0x7f || c == '#';
        const std::string_view in_path = "/x";
        for (const std::string_view before : {in_path, "/x?y"sv, "http://h/x"sv, "http://h/x?y?"sv}) {
            const std::string target = std::string(before) + static_cast<char>(c) + "zz";
            const std::string text = with_target(target);
            const parsed_head p(text);
            const bool broken_escape = c == '%' && before.find('?') == std::string_view::npos;
            EXPECT_EQ(p.outcome() == "accepted", !bad && !broken_escape) << c << ' ' << before;
            if (p.outcome() == "accepted") EXPECT_EQ(p.in(p.head.target), target) << "as received";
        }
    }
}

TEST(RequestHead, percent_escapes_of_a_path_need_two_hex_digits) {
    for (const std::string_view bad : {"/%", "/%2", "/%zz", "/%0g", "/%-1", "/%u0041", "/%%41", "/%?a", "http://h/%"}) {
        EXPECT_EQ(outcome_of(with_target(bad)), "bad request target") << bad;
    }
    EXPECT_EQ(outcome_of(with_target("/%00%fF%aB")), "accepted");
    for (const std::string_view good : {"/?%", "/?a=%4", "/?100%", "/?%zz?%", "/?50%off", "http://h?%"}) {
        EXPECT_EQ(outcome_of(with_target(good)), "accepted") << good;
    }
}

// RFC 9112 section 3.2.2
TEST(RequestHead, parses_absolute_form) {
    const parsed_head p(with_target("http://Example.COM:81/p?q"));
    ASSERT_EQ(p.outcome(), "accepted");
    EXPECT_EQ(p.head.form, target_form::absolute);
    EXPECT_EQ(p.in(p.head.authority), "Example.COM:81") << "the target overrides Host";
    EXPECT_EQ(p.in(p.head.path), "/p");
    EXPECT_EQ(p.in(p.head.query), "q");

    const parsed_head bare(with_target("HTTPS://a"));
    ASSERT_EQ(bare.outcome(), "accepted");
    EXPECT_EQ(bare.in(bare.head.path), "/");

    const parsed_head query_only(with_target("http://a?x=/y"));
    ASSERT_EQ(query_only.outcome(), "accepted");
    EXPECT_EQ(query_only.in(query_only.head.authority), "a");
    EXPECT_EQ(query_only.in(query_only.head.path), "/");
    EXPECT_EQ(query_only.in(query_only.head.query), "x=/y");

    for (const std::string_view bad : {"http:///x",
                                       "http://",
                                       "http://:80/",
                                       "http://u@a/",
                                       "http://u:p@a/",
                                       "http://a:99999/",
                                       "http://[::g]/",
                                       "http://a,b/",
                                       "ftp://a/",
                                       "file:///etc/passwd",
                                       "javascript:alert(1)",
                                       "http:/a",
                                       "http:a",
                                       "://a",
                                       "httpx://a",
                                       "foo",
                                       "../x",
                                       "?q",
                                       "./",
                                       "%2f",
                                       "a:80"}) {
        EXPECT_EQ(outcome_of(with_target(bad)), "bad request target") << bad;
    }
    EXPECT_EQ(outcome_of("GET http://a/ HTTP/1.1\r\n\r\n"), "bad host") << "Host is required nevertheless";
}

// RFC 9112 sections 3.2.3 and 3.2.4
TEST(RequestHead, parses_asterisk_and_authority_form) {
    const parsed_head all(with_target("*", "OPTIONS"));
    ASSERT_EQ(all.outcome(), "accepted");
    EXPECT_EQ(all.head.form, target_form::asterisk);
    EXPECT_EQ(all.in(all.head.path), "*");
    EXPECT_EQ(all.in(all.head.authority), "a");
    EXPECT_EQ(outcome_of(with_target("*")), "bad request target");
    EXPECT_EQ(outcome_of(with_target("*/", "OPTIONS")), "bad request target");

    const parsed_head tunnel(with_target("example.com:443", "CONNECT"));
    ASSERT_EQ(tunnel.outcome(), "accepted");
    EXPECT_EQ(tunnel.head.form, target_form::authority);
    EXPECT_EQ(tunnel.in(tunnel.head.authority), "example.com:443");
    EXPECT_EQ(tunnel.in(tunnel.head.path), "");
    for (const std::string_view bad : {"/", "*", "a", "a:", ":443", "http://a:1/", "a:1/x", "a:1?x", "u@a:1"}) {
        EXPECT_EQ(outcome_of(with_target(bad, "CONNECT")), "bad request target") << bad;
    }
}

// RFC 9112 section 5
TEST(RequestHead, validates_field_names) {
    EXPECT_EQ(outcome_of(with_field("!#$%&'*+-.^_`|~09aZ: v")), "accepted");
    for (int c = 0; c < 256; ++c) {
        const bool tchar = std::isalnum(c) != 0 || (c != 0 && "!#$%&'*+-.^_`|~"sv.find(static_cast<char>(c)) < 15);
        const std::string in_short_name = "X"s + static_cast<char>(c) + "Y: 1";
        const std::string in_long_name = "abcdefghijklmnop"s + in_short_name;
        // ':' ends the name and is fine in the value.
        const bool good = (tchar && c < 128) || c == ':';
        EXPECT_EQ(parsed_head(with_field(in_short_name)).outcome() == "accepted", good) << c;
        EXPECT_EQ(parsed_head(with_field(in_long_name)).outcome() == "accepted", good) << c;
    }
    for (const std::string_view bad :
         {"X-A : 1", "X-A\t: 1", ": v", ":", ":: v", "no-colon", " X: 1", "\tX: 1", "X", " "}) {
        EXPECT_EQ(outcome_of(with_field(bad)), "bad field name") << bad;
    }
    EXPECT_EQ(outcome_of("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), "bad field name");
    EXPECT_EQ(outcome_of(with_field("X-A: one\r\n two")), "bad field name") << "obs-fold";
    EXPECT_EQ(outcome_of(with_field("X-A: one\r\n\ttwo")), "bad field name") << "obs-fold";
}

TEST(RequestHead, validates_field_values) {
    for (const std::string_view line :
         {"X-A:v", "X-A: v", "X-A:\tv", "X-A: \t v \t ", "X-A:                              v"}) {
        const parsed_head p(with_field(line));
        ASSERT_EQ(p.outcome(), "accepted") << line;
        EXPECT_EQ(p.fields()[1], (field{"X-A", "v"}));
    }
    for (const std::string_view line : {"X-A:", "X-A: ", "X-A: \t "}) {
        const parsed_head p(with_field(line));
        ASSERT_EQ(p.outcome(), "accepted") << line;
        EXPECT_EQ(p.fields()[1], (field{"X-A", ""}));
    }
    for (int c = 0; c < 256; ++c) {
        const bool good = c == '\t' || (c >= 0x20 && c != 0x7f);
        for (const std::size_t before : {0U, 1U, 15U, 16U, 40U}) {
            const std::string value = std::string(before, 'x') + static_cast<char>(c) + "y";
            EXPECT_EQ(parsed_head(with_field("X-A: " + value)).outcome() == "accepted", good)
                << c << " after " << before;
        }
    }
    EXPECT_EQ(outcome_of(with_field("X-A: a\0b"s)), "bad field value");
    EXPECT_EQ(outcome_of(with_field("X-A: \0"s)), "bad field value");
}

// RFC 9112 section 3.2
TEST(RequestHead, requires_exactly_one_valid_host) {
    EXPECT_EQ(outcome_of("GET / HTTP/1.1\r\n\r\n"), "bad host");
    EXPECT_EQ(outcome_of("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), "bad host");
    EXPECT_EQ(outcome_of("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nhOST: b\r\n\r\n"), "bad host");
    EXPECT_EQ(outcome_of("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), "bad host");
    EXPECT_EQ(outcome_of("GET / HTTP/1.0\r\n\r\n"), "accepted");
    for (const std::string_view good : {"example.com", "EXAMPLE.com:8080", "[::1]:8080", "[::1]", "127.0.0.1:80",
                                        "a.b-c.d_e", "xn--bcher-kva.example", "a:", "[v1.fe80::a+en1]", "%41b"}) {
        EXPECT_EQ(outcome_of(with_host(good)), "accepted") << good;
    }
    for (const std::string_view bad :
         {"",      ":80",   "a b", "a,b",   "a, b",     "u@a",      "a/b",       "a?b",
          "a#b",   "a\\b",  "a:b", "a:-1",  "a:99999",  "a:65536",  "a:80:80",   "[::1",
          "::1]",  "::1",   "[]",  "[::g]", "[::1]x",   "[1.2.3.4", "[1.2.3.4]", "[::1%25eth0]",
          "[v1.]", "[v.a]", "a%4", "a%zz",  "http://a", "\xc3\xa9", "a\tb",      "<a>"}) {
        EXPECT_EQ(outcome_of(with_host(bad)), "bad host") << bad;
    }
}

// RFC 9112 section 6.2, RFC 9110 section 8.6
TEST(RequestHead, parses_content_length) {
    const auto length_of = [](std::string_view value) {
        const parsed_head p(with_field("Content-Length: " + std::string(value)));
        EXPECT_EQ(p.outcome(), "accepted") << value;
        EXPECT_EQ(p.head.body, framing::length);
        return p.head.content_length;
    };
    EXPECT_EQ(length_of("0"), 0U);
    EXPECT_EQ(length_of("5"), 5U);
    EXPECT_EQ(length_of("010"), 10U) << "decimal, never octal";
    EXPECT_EQ(length_of("4294967301"), 4294967301U);
    EXPECT_EQ(length_of("9223372036854775807"), 9223372036854775807U);
    EXPECT_EQ(length_of(std::string(100, '0') + "7"), 7U);
    for (const auto& bad : {""s,
                            "+5"s,
                            "-5"s,
                            "- 5"s,
                            "5a"s,
                            "5;"s,
                            "5 5"s,
                            "5.0"s,
                            "5e0"s,
                            "5_0"s,
                            "0x5"s,
                            "5,"s,
                            ",5"s,
                            "5, 5"s,
                            "5, 6"s,
                            "\"5\""s,
                            "5\xa0"s,
                            "\xb2"s,
                            "9223372036854775808"s,
                            "18446744073709551616"s,
                            "18446744073709551621"s,
                            std::string(40, '9')}) {
        EXPECT_EQ(outcome_of(with_field("Content-Length: " + bad)), "bad content length") << bad;
    }
    EXPECT_EQ(outcome_of(with_field("Content-Length: 5\r\nContent-Length: 5")), "bad content length");
    EXPECT_EQ(outcome_of(with_field("Content-Length: 5\r\ncontent-length: 6")), "bad content length");
    EXPECT_EQ(parsed_head(with_field("Content_Length: 5")).head.body, framing::none);
    EXPECT_EQ(parsed_head(with_field("Content-Lengt\x68s: 5")).head.body, framing::none);
}

// RFC 9112 section 6.1
TEST(RequestHead, parses_transfer_encoding) {
    for (const std::string_view line : {"Transfer-Encoding: chunked", "transfer-encoding:CHUNKED",
                                        "Transfer-Encoding:\tchunked \t", "TRANSFER-ENCODING: Chunked"}) {
        const parsed_head p(with_field(line));
        ASSERT_EQ(p.outcome(), "accepted") << line;
        EXPECT_EQ(p.head.body, framing::chunked);
        EXPECT_EQ(p.head.content_length, 0U);
    }
    for (const std::string_view bad : {"",
                                       "gzip",
                                       "identity",
                                       "x",
                                       "chunked, chunked",
                                       "chunked, gzip",
                                       "gzip,",
                                       "chunked,",
                                       ",chunked",
                                       ", chunked",
                                       "xchunked",
                                       "chunkedx",
                                       "chunk",
                                       "chun ked",
                                       "\"chunked\"",
                                       "'chunked'",
                                       "chunked;q=1",
                                       "chunked;",
                                       "x chunked",
                                       "chunked x",
                                       "\240chunked",
                                       "chunked\xa0",
                                       "chun\342\204\252ed",
                                       "gzip;q=1, chunked",
                                       "gzip,,chunked",
                                       "chunked, gzip, chunked"}) {
        EXPECT_EQ(outcome_of(with_field("Transfer-Encoding: " + std::string(bad))), "bad transfer encoding") << bad;
    }
    for (const std::string_view unknown : {"gzip, chunked", "gzip,chunked", "x , CHUNKED", "gzip, br, chunked"}) {
        EXPECT_EQ(outcome_of(with_field("Transfer-Encoding: " + std::string(unknown))), "unknown transfer coding");
    }
    for (const std::string_view lines :
         {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
          "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
          "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
          "Transfer-Encoding: chunked\r\nContent-Length: 5", "Content-Length: 5\r\nTransfer-Encoding: chunked",
          "Content-Length: 0\r\nTransfer-Encoding: chunked"}) {
        EXPECT_EQ(outcome_of(with_field(lines)), "bad transfer encoding") << lines;
    }
    EXPECT_EQ(outcome_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), "bad transfer encoding");
    EXPECT_EQ(parsed_head(with_field("TE: trailers, chunked")).head.body, framing::none);
}

// RFC 9112 section 9.3
TEST(RequestHead, determines_persistence) {
    const auto keeps_alive = [](std::string_view version, std::string_view lines) {
        const parsed_head p("GET / " + std::string(version) + "\r\nHost: a\r\n" + std::string(lines) + "\r\n");
        EXPECT_EQ(p.outcome(), "accepted");
        return p.head.keep_alive;
    };
    EXPECT_TRUE(keeps_alive("HTTP/1.1", ""));
    EXPECT_FALSE(keeps_alive("HTTP/1.0", ""));
    EXPECT_TRUE(keeps_alive("HTTP/1.0", "Connection: Keep-Alive\r\n"));
    EXPECT_FALSE(keeps_alive("HTTP/1.0", "Connection: keep-alive, close\r\n"));
    for (const std::string_view line : {"close", "CLOSE", "foo, close", "keep-alive, close", "close, foo", "\tclose\t",
                                        ",close,", " , ,close", "foo ,Close"}) {
        EXPECT_FALSE(keeps_alive("HTTP/1.1", "Connection: " + std::string(line) + "\r\n")) << line;
    }
    EXPECT_FALSE(keeps_alive("HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n"));
    for (const std::string_view line : {"", "closed", "xclose", "close x", "\"close\"", "keep-alive"}) {
        EXPECT_TRUE(keeps_alive("HTTP/1.1", "Connection: " + std::string(line) + "\r\n")) << line;
    }
}

TEST(RequestHead, parses_upgrade) {
    EXPECT_TRUE(parsed_head(with_field("Upgrade: websocket\r\nConnection: keep-alive, Upgrade")).head.upgrade);
    EXPECT_FALSE(parsed_head(with_field("Upgrade: websocket")).head.upgrade);
    EXPECT_FALSE(parsed_head(with_field("Connection: Upgrade")).head.upgrade);
    EXPECT_FALSE(parsed_head("GET / HTTP/1.0\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n").head.upgrade);
}

// RFC 9110 section 10.1.1
TEST(RequestHead, parses_expect) {
    EXPECT_EQ(parsed_head(with_field("Expect: 100-continue")).head.expect, expectation::continue_100);
    EXPECT_EQ(parsed_head(with_field("EXPECT: 100-Continue")).head.expect, expectation::continue_100);
    EXPECT_EQ(parsed_head(with_field("Expect:")).head.expect, expectation::none);
    EXPECT_EQ(parsed_head(with_field("Expect: teapot")).head.expect, expectation::unknown);
    EXPECT_EQ(parsed_head(with_field("Expect: 100-continue, teapot")).head.expect, expectation::unknown);
    EXPECT_EQ(parsed_head(with_field("Expect: teapot\r\nExpect: 100-continue")).head.expect, expectation::unknown);
    EXPECT_EQ(parsed_head("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").head.expect, expectation::none);
}

TEST(RequestHead, limits_the_request_line) {
    const parse_limits limits{.request_line = 20, .fields_bytes = 1000, .fields = 10};
    const std::string_view rest = "\r\nHost: a\r\n\r\n";
    EXPECT_EQ(outcome_of("GET /23456 HTTP/1.1"s += rest, limits), "accepted");
    EXPECT_EQ(outcome_of("GET /234567 HTTP/1.1"s += rest, limits), "accepted");
    EXPECT_EQ(outcome_of("GET /2345678 HTTP/1.1"s += rest, limits), "request line too long");
    EXPECT_EQ(outcome_of("GET /" + std::string(100, 'x'), limits), "request line too long");
    EXPECT_EQ(outcome_of(std::string(100, 'x'), limits), "request line too long");
    EXPECT_EQ(outcome_of("GET /" + std::string(100, '%'), limits), "bad request target");
    EXPECT_EQ(outcome_of("GET /"s + std::string(15, 'x') + "%41%41", limits), "request line too long");
}

TEST(RequestHead, limits_the_fields) {
    const std::string line = "GET / HTTP/1.1\r\n";
    const std::string host = "Host: a\r\n";
    const parse_limits limits{.request_line = 100, .fields_bytes = 30, .fields = 3};
    EXPECT_EQ(outcome_of(line + host + "X: " + std::string(14, 'y') + "\r\n\r\n", limits), "accepted");
    EXPECT_EQ(outcome_of(line + host + "X: " + std::string(15, 'y') + "\r\n\r\n", limits), "fields too large");
    EXPECT_EQ(outcome_of(line + host + std::string(100, 'x'), limits), "fields too large");
    EXPECT_EQ(outcome_of(line + host + "a:\r\nb:\r\n\r\n", limits), "accepted");
    EXPECT_EQ(outcome_of(line + host + "a:\r\nb:\r\nc:\r\n\r\n", limits), "fields too large");

    std::array<field_ref, 2> small;
    request_head head;
    const std::string three = line + host + "a:\r\nb:\r\n\r\n";
    const auto result = parse_request_head(three, {}, small, head);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), parse_error::fields_too_large);
}

TEST(RequestHead, has_default_limits) {
    EXPECT_EQ(parsed_head(with_target("/" + std::string(8192 - 14, 'q'))).outcome(), "accepted");
    EXPECT_EQ(parsed_head(with_target("/" + std::string(8192 - 13, 'q'))).outcome(), "request line too long");
    std::string lines;
    for (int i = 1; i < 100; ++i) lines += "X-" + std::to_string(i) + ": y\r\n";
    EXPECT_EQ(parsed_head("GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n").head.fields.size(), 100U);
    EXPECT_EQ(parsed_head("GET / HTTP/1.1\r\nHost: a\r\n" + lines + "X: y\r\n\r\n").outcome(), "fields too large");
}

TEST(RequestHead, maps_errors_to_statuses) {
    EXPECT_EQ(status_for(parse_error::incomplete), 0);
    EXPECT_EQ(status_for(parse_error::bad_line_end), 400);
    EXPECT_EQ(status_for(parse_error::bad_host), 400);
    EXPECT_EQ(status_for(parse_error::uri_too_long), 414);
    EXPECT_EQ(status_for(parse_error::fields_too_large), 431);
    EXPECT_EQ(status_for(parse_error::unknown_transfer_coding), 501);
    EXPECT_EQ(status_for(parse_error::version_not_supported), 505);
}

}  // namespace
}  // namespace rondo::http::h1
