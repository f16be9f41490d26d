// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/files/static_files.hpp>

#include <utility>

#include <gtest/gtest.h>

#include <rondo/web/app.hpp>
#include <rondo/web/exchange_fixture.hpp>
#include <rondo/web/test_client.hpp>

namespace rondo {
namespace {

using testing::exchange;
using testing::test_loop;

class StaticView : public ::testing::Test {
protected:
    StaticView() {
        dir_.write_file("site/hello.txt", "hello static\n");
        dir_.write_file("site/index.html", "<h1>root</h1>");
        dir_.write_file("site/docs/index.html", "<h1>docs</h1>");
        dir_.write_file("site/plain/x.txt", "x");
        dir_.write_file("site/a b.txt", "space");
        dir_.write_file("site/.hidden", "no");
        dir_.write_file("site/.git/config", "no");
        std::filesystem::create_symlink("/etc/passwd", dir_.path_of("site/escape"));
    }

    /// Calls the view with the decoded rest of the path, as the router does.
    void get(exchange& x, const static_folder& view) {
        const std::string name(x.req.path().substr(std::string_view("/static/").size()));
        loop_.run(respond(x, view, name));
    }
    static task<void> respond(exchange& x, const static_folder& view, std::string_view name) {
        response r;
        try {
            r = co_await view(x.req, name);
        } catch (const http_error& e) {
            r = rondo::status(http::to_int(e.code()));
        }
        co_await x.send(std::move(r));
    }
    [[nodiscard]] static_folder make(static_options options = {}) const {
        return static_folder(dir_.path_of("site"), std::move(options));
    }

    testing::temporary_folder dir_;
    test_loop loop_;
};

TEST_F(StaticView, serves_files) {
    const static_folder view = make();
    for (const char* path : {"/static/hello.txt", "/static/%68ello.txt"}) {
        exchange x(path);
        get(x, view);
        EXPECT_EQ(x.to.status, http::status::ok);
        EXPECT_EQ(x.to.body, "hello static\n");
        EXPECT_EQ(x.to.type, "text/plain; charset=utf-8");
        EXPECT_EQ(x.to.field("X-Content-Type-Options"), "nosniff");
        EXPECT_EQ(x.to.field("Cache-Control"), "(none)");
    }
    exchange space("/static/a%20b.txt");
    get(space, view);
    EXPECT_EQ(space.to.body, "space");
}

TEST_F(StaticView, serves_nothing_else) {
    const static_folder view = make();
    for (const char* path : {
             "/static/../../../../../../etc/passwd",
             "/static/..%2f..%2f..%2fetc%2fpasswd",
             "/static/%2e%2e/%2e%2e/etc/passwd",
             "/static/..%5c..%5cetc%5cpasswd",
             "/static/%252e%252e/etc/passwd",
             "/static/....//....//etc/passwd",
             "/static/..;/..;/etc/passwd",
             "/static//etc/passwd",
             "/static///etc/passwd",
             "/static/%2fetc%2fpasswd",
             "/static/./../../etc/passwd",
             "/static/%c0%ae%c0%ae/etc/passwd",
             "/static/hello.txt/../../../etc/passwd",
             "/static/.hidden",
             "/static/%2ehidden",
             "/static/.git/config",
             "/static/.git/",
             "/static/escape",
             "/static/hello.txt/",
             "/static/docs%2findex.html",
             "/static/docs%2Findex.html",
             "/static/docs%5Cindex.html",
             "/static/nothing",
             "/static/plain/",
             "/static/plain",
             "/static/docs//",
             "/static/hello.txt%20",
         }) {
        exchange x("/static/");
        x.from.path = path;
        get(x, view);
        EXPECT_EQ(x.to.status, http::status::not_found) << path;
    }
}

TEST_F(StaticView, refuses_an_encoded_nul_when_the_router_does_not) {
    const static_folder view = make();
    exchange x("/static/hello.txt%00.png");
    const std::string_view name("hello.txt\0.png", 14);
    loop_.run(respond(x, view, name));
    EXPECT_EQ(x.to.status, http::status::not_found);
}

TEST_F(StaticView, serves_the_index_of_a_folder) {
    const static_folder view = make();
    exchange root("/static/");
    get(root, view);
    EXPECT_EQ(root.to.body, "<h1>root</h1>");
    EXPECT_EQ(root.to.type, "text/html; charset=utf-8");
    exchange docs("/static/docs/");
    get(docs, view);
    EXPECT_EQ(docs.to.body, "<h1>docs</h1>");
    exchange bare("/static/docs?a=b");
    get(bare, view);
    EXPECT_EQ(bare.to.status, http::status::permanent_redirect);
    EXPECT_EQ(bare.to.field("Location"), "/static/docs/?a=b");
}

TEST_F(StaticView, the_index_can_be_disabled) {
    const static_folder view = make({.index = "", .cache_control = "max-age=60"});
    for (const char* path : {"/static/", "/static/docs/", "/static/docs"}) {
        exchange x(path);
        get(x, view);
        EXPECT_EQ(x.to.status, http::status::not_found) << path;
    }
    exchange x("/static/hello.txt");
    get(x, view);
    EXPECT_EQ(x.to.field("Cache-Control"), "max-age=60");
}

TEST_F(StaticView, answers_conditional_requests_and_ranges) {
    const static_folder view = make();
    exchange known("/static/hello.txt", {{"If-None-Match", "*"}});
    get(known, view);
    EXPECT_EQ(known.to.status, http::status::not_modified);
    exchange part("/static/hello.txt", {{"Range", "bytes=6-11"}});
    get(part, view);
    EXPECT_EQ(part.to.status, http::status::partial_content);
    EXPECT_EQ(part.to.body, "static");
}

TEST_F(StaticView, serves_the_same_behind_the_router) {
    app site;
    site.get("/static/<path:name>", make());
    test_client client(site);
    EXPECT_EQ(client.get("/static/hello.txt").body, "hello static\n");
    EXPECT_EQ(client.get("/static/%68ello.txt").body, "hello static\n");
    EXPECT_EQ(client.get("/static/").body, "<h1>root</h1>");
    EXPECT_EQ(client.get("/static/docs/").body, "<h1>docs</h1>");
    EXPECT_EQ(client.get("/static/docs").field("Location"), "/static/docs/");
    EXPECT_EQ(client.get("/static/hello.txt", {{"Range", "bytes=-7"}}).body, "static\n");
    EXPECT_EQ(client.post("/static/hello.txt", "").status, 405);
    for (const char* path :
         {"/static/../../../../../etc/passwd", "/static/..%2f..%2f..%2fetc%2fpasswd",
          "/static/%2e%2e/%2e%2e/etc/passwd", "/static/..%5c..%5cetc%5cpasswd", "/static/..\\..\\etc\\passwd",
          "/static/%252e%252e/etc/passwd", "/static//etc/passwd", "/static/%2fetc%2fpasswd",
          "/static/./../../etc/passwd", "/static/%c0%ae%c0%ae/etc/passwd", "/static/.%00./.%00./etc/passwd",
          "/static/hello.txt%00", "/static/.hidden", "/static/%2ehidden", "/static/.git/config", "/static/escape",
          "/static/hello.txt/", "/static/docs%2findex.html"}) {
        const test_response r = client.get(path);
        EXPECT_GE(r.status, 400) << path;
        EXPECT_LT(r.status, 500) << path;
        EXPECT_EQ(r.body.find("root:"), std::string::npos) << path;
    }
}

TEST(StaticFolder, requires_a_folder) { EXPECT_THROW(static_folder("/nowhere/at/all"), std::runtime_error); }

}  // namespace
}  // namespace rondo
