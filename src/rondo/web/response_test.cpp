// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/response.hpp>

#include <gtest/gtest.h>

#include <stdexcept>

#include <rondo/codec/json.hpp>
#include <rondo/http/cookie.hpp>

namespace rondo {
namespace {

static_assert(sizeof(response) <= 88);
static_assert(!std::is_copy_constructible_v<response> && std::is_nothrow_move_constructible_v<response>);

TEST(Response, factories_set_status_type_and_body) {
    EXPECT_EQ(text("a").text(), "a");
    EXPECT_EQ(text("a").content_type(), "text/plain; charset=utf-8");
    EXPECT_EQ(html("<p>").content_type(), "text/html; charset=utf-8");
    EXPECT_EQ(bytes("\x01", "image/png").content_type(), "image/png");
    EXPECT_EQ(json(codec::json_value::object({{"a", 1}})).text(), R"({"a":1})");
    EXPECT_EQ(json_text("[1]").content_type(), "application/json");
    EXPECT_EQ(no_content().code(), http::status::no_content);
    EXPECT_EQ(status(404).text(), "Not Found\n");
    EXPECT_EQ(status(304).text(), "");
    EXPECT_EQ(status(599).text(), "");
    EXPECT_EQ(response().content_type(), "");
}

TEST(Response, does_not_copy_static_text) {
    static constexpr std::string_view page = "a page that is longer than any small string";
    EXPECT_EQ(text(static_text{page}).text().data(), page.data());
}

TEST(Response, setters_chain) {
    response r = text("made").status(201).field("X-A", "1").add_field("X-A", "2").type("text/csv");
    EXPECT_EQ(r.code(), http::status::created);
    EXPECT_EQ(r.fields().count("x-a"), 2U);
    EXPECT_EQ(r.content_type(), "text/csv");
    EXPECT_EQ(r.head().content_type, "");  // now it is one of the fields
    EXPECT_EQ(r.fields().count("Content-Type"), 1U);
    r.field("X-A", "3").field("content-type", "text/html");
    EXPECT_EQ(r.fields().count("x-a"), 1U);
    EXPECT_EQ(r.content_type(), "text/html");
    EXPECT_TRUE(text("x").close().head().close);
}

TEST(Response, rejects_invalid_field_values) {
    for (const std::string_view bad : {std::string_view("a\r\nX: y"), std::string_view("a\n"), std::string_view("a\rb"),
                                       std::string_view("a\0b", 3), std::string_view("\x7f")}) {
        response r;
        EXPECT_THROW(r.field("X", bad), std::invalid_argument);
        EXPECT_THROW(r.type(bad), std::invalid_argument);
        EXPECT_TRUE(r.fields().empty());
    }
    EXPECT_THROW(response().field("a b", "c"), std::invalid_argument);
    EXPECT_THROW(response().field("", "c"), std::invalid_argument);
}

TEST(Response, rejects_fields_of_the_server) {
    for (const char* name : {"Content-Length", "connection", "Transfer-Encoding", "Keep-Alive", "Upgrade", "Date"}) {
        EXPECT_THROW(response().field(name, "1"), std::invalid_argument) << name;
        EXPECT_THROW(response().add_field(name, "1"), std::invalid_argument) << name;
    }
}

TEST(Response, rejects_a_status_out_of_range) {
    EXPECT_THROW(response().status(100), std::invalid_argument);
    EXPECT_THROW(response().status(199), std::invalid_argument);
    EXPECT_THROW(response().status(600), std::invalid_argument);
    EXPECT_EQ(http::to_int(response().status(200).code()), 200);
    EXPECT_EQ(http::to_int(response().status(599).code()), 599);
}

TEST(Response, redirect_encodes_the_location) {
    const response r = redirect("/a b?c=\xc3\xa9&d=%20\r\nX: y");
    EXPECT_EQ(r.code(), http::status::see_other);
    EXPECT_EQ(r.fields().find("Location"), "/a%20b?c=%C3%A9&d=%20%0D%0AX:%20y");
    EXPECT_EQ(redirect("/", 308).code(), http::status::permanent_redirect);
    EXPECT_THROW((void)redirect("/", 200), std::invalid_argument);
    EXPECT_THROW((void)redirect("/", 304), std::invalid_argument);
}

TEST(Response, sets_cookies) {
    http::set_cookie expired{.name = "b", .value = "2", .domain = {}, .max_age = 0, .expires = {}};
    const response r = text("x").cookie("a", "1").cookie(expired);
    EXPECT_EQ(r.fields().count("Set-Cookie"), 2U);
    EXPECT_EQ(r.fields().find("Set-Cookie"), "a=1; Path=/; HttpOnly; SameSite=Lax");
    EXPECT_THROW(response().cookie("a", "1; Domain=x"), std::invalid_argument);
}

TEST(Response, escapes_html) {
    EXPECT_EQ(html_escape("<a href=\"x\">'&'"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;");
}

}  // namespace
}  // namespace rondo
