// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/request.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <rondo/codec/json.hpp>
#include <rondo/web/app.hpp>
#include <rondo/web/form.hpp>
#include <rondo/web/test_client.hpp>

namespace rondo {
namespace {

using ::testing::HasSubstr;

static_assert(sizeof(request) < 200);

/// Sends a request to an application whose only view calls `f` with it.
template <class F>
test_response respond_with(test_request input, F f) {
    app a;
    a.any("/<path:p>", [f](request& req, std::string_view) -> task<response> { co_return text(f(req)); });
    test_client client(a);
    return client.send(std::move(input));
}

TEST(Request, exposes_the_head) {
    const auto r =
        respond_with({.method = "PUT",
                      .target = "/a%20b/%C3%A9?x=1",
                      .fields = {{"Host", "example.com:81"}, {"X-A", "1"}, {"x-a", "2"}, {"Cookie", "a=b; c=\"d\""}},
                      .peer = "10.0.0.9"},
                     [](request& req) {
                         EXPECT_EQ(req.method(), http::method::put);
                         EXPECT_EQ(req.method_text(), "PUT");
                         EXPECT_EQ(req.target(), "/a%20b/%C3%A9?x=1");
                         EXPECT_EQ(req.raw_path(), "/a%20b/%C3%A9");
                         EXPECT_EQ(req.path(), "/a b/\xc3\xa9");
                         EXPECT_EQ(req.raw_query(), "x=1");
                         EXPECT_EQ(req.host(), "example.com:81");
                         EXPECT_EQ(req.field("x-A"), "1");
                         EXPECT_EQ(req.fields().count("X-A"), 2U);
                         EXPECT_EQ(req.field("X-B"), std::nullopt);
                         EXPECT_EQ(req.cookie("c"), "d");
                         EXPECT_EQ(req.cookie("e"), std::nullopt);
                         EXPECT_EQ(req.peer_address(), "10.0.0.9");
                         EXPECT_EQ(req.scheme(), "http");
                         EXPECT_EQ(req.arg("p"), "a b/\xc3\xa9");
                         EXPECT_FALSE(req.is_cancelled());
                         EXPECT_EQ(req.deadline(), instant::max());
                         return "ok";
                     });
    EXPECT_EQ(r.body, "ok");
}

TEST(Request, parses_the_query) {
    const auto r = respond_with({.target = "/?a=1&b=x+y%26z&a=2&c&=d&n=-3&f=1.5&t=yes&bad=1x"}, [](request& req) {
        EXPECT_EQ(req.query("a"), "1");
        EXPECT_EQ(req.query("b"), "x y&z");
        EXPECT_EQ(req.query("c"), "");
        EXPECT_EQ(req.query("d"), std::nullopt);
        EXPECT_EQ(req.query_pairs().size(), 9U);
        EXPECT_EQ(req.query_as<int>("n", 0), -3);
        EXPECT_EQ(req.query_as<double>("f"), 1.5);
        EXPECT_EQ(req.query_as<bool>("t"), true);
        EXPECT_EQ(req.query_as<int>("missing", 9), 9);
        EXPECT_EQ(req.query_as<std::string>("b"), "x y&z");
        try {
            (void)req.query_as<int>("bad", 0);
            ADD_FAILURE();
        } catch (const http_error& e) {
            EXPECT_EQ(e.code(), http::status::bad_request);
            EXPECT_STREQ(e.what(), "the query parameter 'bad' must be a whole number in range");
        }
        EXPECT_THROW((void)req.query_as<unsigned>("n", 0U), http_error);
        EXPECT_THROW((void)req.query_as<int>("missing"), http_error);
        return "ok";
    });
    EXPECT_EQ(r.body, "ok");
    EXPECT_EQ(respond_with({.target = "/?n=x"}, [](request& req) { return std::to_string(req.query_as<int>("n", 1)); })
                  .status,
              400);
    EXPECT_EQ(
        respond_with({.target = "/?"}, [](request& req) { return std::to_string(req.query_pairs().size()); }).body,
        "0");
}

TEST(Request, rejects_an_encoded_nul) {
    EXPECT_EQ(respond_with({.target = "/a%00b"}, [](request&) { return "no"; }).status, 400);
}

TEST(Request, read_all_sync_requires_a_body_that_was_read) {
    app a;
    a.post("/", [](request& req) -> task<response> {
        EXPECT_THROW((void)req.read_all_sync(), std::logic_error);
        const auto body = co_await req.read_all();
        EXPECT_EQ(req.read_all_sync(), body);
        EXPECT_EQ((co_await req.read_all()).data(), body.data());
        co_return text(body);
    });
    test_client client(a);
    EXPECT_EQ(client.post("/", "body").body, "body");
}

TEST(Request, parses_json) {
    app a;
    a.post("/async", [](request& req) -> task<response> { co_return text((co_await req.json())["a"].as_string()); });
    a.post("/sync", [](request& req) { return text(req.json_sync()["a"].as_string()); });
    test_client client(a);
    for (const char* path : {"/async", "/sync"}) {
        EXPECT_EQ(client.post(path, R"({"a":"b"})", {{"Content-Type", "application/json; charset=utf-8"}}).body, "b");
        EXPECT_EQ(client.post(path, R"({"a":"b"})", {{"Content-Type", "application/problem+json"}}).body, "b");
        EXPECT_EQ(client.post(path, R"({"a":"b"})", {{"Content-Type", "text/plain"}}).status, 415);
        EXPECT_EQ(client.post(path, R"({"a":"b"})").status, 415);
        const auto bad = client.post(path, R"({"a":)", {{"Content-Type", "application/json"}});
        EXPECT_EQ(bad.status, 400);
        EXPECT_THAT(bad.body, HasSubstr("JSON"));
    }
}

TEST(Request, parses_forms) {
    app a;
    a.post("/async", [](request& req) -> task<response> {
        const form_data& form = co_await req.form();
        EXPECT_EQ(&form, &co_await req.form());
        co_return text(form.value("a"));
    });
    a.post("/after", [](request& req) -> task<response> {
        (void)co_await req.read_all();
        co_return text((co_await req.form()).value("a"));
    });
    a.post("/sync", [](request& req) { return text(req.form_sync().value("a")); });
    test_client client(a);
    for (const char* path : {"/async", "/after", "/sync"}) {
        EXPECT_EQ(client.post(path, "a=b+c", {{"Content-Type", "application/x-www-form-urlencoded"}}).body, "b c")
            << path;
        EXPECT_EQ(client.post(path, "a=b", {{"Content-Type", "text/plain"}}).status, 415) << path;
    }
}

TEST(Request, knows_its_route) {
    EXPECT_EQ(respond_with({.target = "/x"}, [](request& req) { return std::string(req.route()); }).body, "/<path:p>");
}

}  // namespace
}  // namespace rondo
