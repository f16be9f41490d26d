// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/conditional.hpp>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/http/h1/request_parser.hpp>

namespace rondo::http {
namespace {

constexpr unix_seconds modified = 784111777;
constexpr unix_seconds now = 1700000000;
const std::string same_date = "Sun, 06 Nov 1994 08:49:37 GMT";
const std::string earlier = "Sun, 06 Nov 1994 08:49:36 GMT";
const std::string later = "Sun, 06 Nov 1994 08:49:38 GMT";

class request {
public:
    explicit request(const std::string& lines) : text_("GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n") {
        EXPECT_TRUE(h1::parse_request_head(text_, {}, storage_, head_)) << lines;
    }
    [[nodiscard]] fields_view view() const { return head_.view(text_.data()); }

private:
    std::string text_;
    std::array<field_ref, 10> storage_;
    h1::request_head head_;
};

std::string line(const char* name, const std::string& value) { return std::string(name) + ": " + value + "\r\n"; }

const validators file{"\"v1\"", modified};

precondition outcome(const std::string& lines, method m = method::get, const validators& known = file) {
    return evaluate(m, request(lines).view(), known, now);
}

TEST(Conditional, proceeds_without_conditions) { EXPECT_EQ(outcome(""), precondition::proceed); }

TEST(Conditional, if_match) {
    EXPECT_EQ(outcome("If-Match: \"v1\"\r\n"), precondition::proceed);
    EXPECT_EQ(outcome("If-Match: \"v0\"\r\nIf-Match: \"v1\"\r\n"), precondition::proceed);
    EXPECT_EQ(outcome("If-Match: *\r\n"), precondition::proceed);
    EXPECT_EQ(outcome("If-Match: \"v0\"\r\n"), precondition::failed);
    EXPECT_EQ(outcome("If-Match: W/\"v1\"\r\n"), precondition::failed);
    EXPECT_EQ(outcome("If-Match: junk\r\n"), precondition::failed);
    EXPECT_EQ(outcome("If-Match: *\r\n", method::put, {.etag = {}, .last_modified = {}, .exists = false}),
              precondition::failed);
    EXPECT_EQ(outcome("If-Match: \"v1\"\r\n", method::get, {"W/\"v1\"", modified}), precondition::failed);
}

TEST(Conditional, if_unmodified_since) {
    EXPECT_EQ(outcome(line("If-Unmodified-Since", same_date)), precondition::proceed);
    EXPECT_EQ(outcome(line("If-Unmodified-Since", later), method::put), precondition::proceed);
    EXPECT_EQ(outcome(line("If-Unmodified-Since", earlier), method::put), precondition::failed);
    EXPECT_EQ(outcome(line("If-Unmodified-Since", "yesterday")), precondition::proceed);
    EXPECT_EQ(outcome("If-Match: \"v1\"\r\n" + line("If-Unmodified-Since", earlier)), precondition::proceed)
        << "If-Match decides";
}

TEST(Conditional, if_none_match) {
    EXPECT_EQ(outcome("If-None-Match: \"v1\"\r\n"), precondition::not_modified);
    EXPECT_EQ(outcome("If-None-Match: W/\"v1\"\r\n"), precondition::not_modified);
    EXPECT_EQ(outcome("If-None-Match: *\r\n", method::head), precondition::not_modified);
    EXPECT_EQ(outcome("If-None-Match: *\r\n", method::put), precondition::failed);
    EXPECT_EQ(outcome("If-None-Match: \"v1\"\r\n", method::delete_), precondition::failed);
    EXPECT_EQ(outcome("If-None-Match: \"v2\"\r\n"), precondition::proceed);
    EXPECT_EQ(outcome("If-None-Match: *\r\n", method::put, {.etag = {}, .last_modified = {}, .exists = false}),
              precondition::proceed);
    EXPECT_EQ(outcome("If-None-Match: *\r\n", method::get, {.etag = {}, .last_modified = modified}),
              precondition::not_modified);
}

TEST(Conditional, if_modified_since) {
    EXPECT_EQ(outcome(line("If-Modified-Since", same_date)), precondition::not_modified);
    EXPECT_EQ(outcome(line("If-Modified-Since", later)), precondition::not_modified);
    EXPECT_EQ(outcome(line("If-Modified-Since", earlier)), precondition::proceed);
    EXPECT_EQ(outcome(line("If-Modified-Since", "yesterday")), precondition::proceed);
    EXPECT_EQ(outcome(line("If-Modified-Since", same_date), method::post), precondition::proceed);
    EXPECT_EQ(outcome(line("If-Modified-Since", same_date) + line("If-Modified-Since", same_date)),
              precondition::proceed);
    EXPECT_EQ(outcome(line("If-Modified-Since", same_date), method::get, {.etag = "\"v1\"", .last_modified = {}}),
              precondition::proceed);
    EXPECT_EQ(outcome("If-None-Match: \"v2\"\r\n" + line("If-Modified-Since", same_date)), precondition::proceed)
        << "If-None-Match decides";
}

TEST(Conditional, a_failed_condition_precedes_not_modified) {
    EXPECT_EQ(outcome("If-Match: \"v0\"\r\nIf-None-Match: \"v1\"\r\n"), precondition::failed);
    EXPECT_EQ(outcome("If-Match: \"v1\"\r\nIf-None-Match: \"v1\"\r\n"), precondition::not_modified);
}

TEST(Conditional, if_range) {
    const auto applies = [](const std::string& lines, const validators& known = file) {
        return range_applies(request(lines).view(), known, now);
    };
    EXPECT_TRUE(applies(""));
    EXPECT_TRUE(applies("If-Range: \"v1\"\r\n"));
    EXPECT_FALSE(applies("If-Range: \"v2\"\r\n"));
    EXPECT_FALSE(applies("If-Range: W/\"v1\"\r\n"));
    EXPECT_FALSE(applies("If-Range: W/\"v1\"\r\n", {"W/\"v1\"", modified}));
    EXPECT_TRUE(applies(line("If-Range", same_date)));
    EXPECT_FALSE(applies(line("If-Range", later)));
    EXPECT_FALSE(applies("If-Range: junk\r\n"));
    EXPECT_FALSE(applies("If-Range: \"v1\"\r\nIf-Range: \"v1\"\r\n"));
}

}  // namespace
}  // namespace rondo::http
