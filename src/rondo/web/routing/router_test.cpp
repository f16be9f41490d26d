// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/routing/router.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

namespace rondo::detail {
namespace {

using http::method;
using ::testing::HasSubstr;

struct router_fixture {
    void add(std::string pattern, method_set methods = method_bit(method::get), accepts_function own = nullptr) {
        route_entry& r = routes.emplace_back();
        r.pattern = std::move(pattern);
        const pattern_parameters parameters(r.pattern);
        for (std::size_t i = 0; i < parameters.count; ++i) {
            const auto name = parameters.items[i].converter;
            r.parameters.emplace_back(parameters.items[i].name);
            r.accepts.push_back(name == "month" ? own : nullptr);
        }
        r.methods = methods;
        r.any = methods == 0;
        tree.add(r);
    }
    /// "pattern(argument,argument)", or "none".
    std::string find(std::string_view path, method m = method::get) {
        const match found = tree.find(m, path, memory);
        allowed = found.allowed;
        if (found.route == nullptr) return "none";
        std::string text = found.route->pattern;
        for (std::size_t i = 0; i < found.route->parameters.size(); ++i) {
            text += (i == 0 ? " " : ",") + std::string(found.arguments[i]);
        }
        return text;
    }

    /// Returns whether there is no route (404) or the path is invalid (400).
    bool is_rejected(std::string_view path) {
        try {
            return find(path) == "none";
        } catch (const http_error&) {
            return true;
        }
    }

    std::deque<route_entry> routes;
    router tree;
    arena memory;
    method_set allowed = 0;
};

TEST(Router, matches_literal_segments) {
    router_fixture t;
    for (const char* p : {"/", "/a", "/a/", "/a/b", "/ab", "/b/c/d"}) t.add(p);
    for (const char* p : {"/", "/a", "/a/", "/a/b", "/ab", "/b/c/d"}) EXPECT_EQ(t.find(p), p);
    for (const char* p : {"", "*", "//", "/b", "/b/", "/b/c", "/b/c/d/", "/A", "/a//b", "//a", "/abc", "a"}) {
        EXPECT_EQ(t.find(p), "none") << p;
        EXPECT_EQ(t.allowed, 0) << p;
    }
}

TEST(Router, matches_parameters) {
    router_fixture t;
    t.add("/articles/<int:year>/<slug:name>");
    EXPECT_EQ(t.find("/articles/2024/c-plus_plus"), "/articles/<int:year>/<slug:name> 2024,c-plus_plus");
    EXPECT_EQ(t.find("/articles/-5/x"), "/articles/<int:year>/<slug:name> -5,x");
    for (const char* p :
         {"/articles/x/y", "/articles/1/", "/articles/1", "/articles//x", "/articles/1/x/", "/articles/1/x.y"}) {
        EXPECT_EQ(t.find(p), "none") << p;
    }
}

TEST(Router, supports_every_converter) {
    router_fixture t;
    t.add("/u/<uint:x>");
    t.add("/f/<float:x>");
    t.add("/i/<uuid:x>");
    t.add("/s/<x>");
    t.add("/p/<path:x>");
    EXPECT_EQ(t.find("/u/12"), "/u/<uint:x> 12");
    EXPECT_EQ(t.find("/u/-1"), "none");
    EXPECT_EQ(t.find("/f/-1.5"), "/f/<float:x> -1.5");
    EXPECT_EQ(t.find("/f/1e5"), "none");
    EXPECT_EQ(t.find("/i/123e4567-e89b-12d3-a456-426614174000"), "/i/<uuid:x> 123e4567-e89b-12d3-a456-426614174000");
    EXPECT_EQ(t.find("/i/123e4567-e89b-12d3-a456-42661417400"), "none");
    EXPECT_EQ(t.find("/i/123e4567-e89b-12d3-a456-42661417400g"), "none");
    EXPECT_EQ(t.find("/s/anything at all"), "/s/<x> anything at all");
    EXPECT_EQ(t.find("/s/"), "none");
    EXPECT_EQ(t.find("/s/."), "none");
    EXPECT_EQ(t.find("/s/.."), "none");
    EXPECT_EQ(t.find("/s/%2e%2E"), "none");
    EXPECT_EQ(t.find("/p/"), "/p/<path:x> ");
    EXPECT_EQ(t.find("/p/a/b//c/"), "/p/<path:x> a/b//c/");
    EXPECT_EQ(t.find("/p"), "none");
}

TEST(Router, decodes_segments_separately) {
    router_fixture t;
    t.add("/caf\xc3\xa9/<x>");
    t.add("/p/<path:x>");
    EXPECT_EQ(t.find("/caf%C3%A9/c%2Fd"), "/caf\xc3\xa9/<x> c/d");
    EXPECT_EQ(t.find("/%63af%c3%a9/%C3%A9"), "/caf\xc3\xa9/<x> \xc3\xa9");
    EXPECT_EQ(t.find("/caf%C3%A9%2Fc"), "none");
    EXPECT_EQ(t.find("/p/a%2fb/c"), "/p/<path:x> a/b/c");
    EXPECT_THROW(t.find("/caf%C3%A9/%00"), http_error);
    EXPECT_EQ(t.find("/caf%C3%A9/%2500"), "/caf\xc3\xa9/<x> %00");
}

// Paths in which a server behind this one, or a file system, would see a dot segment.
constexpr std::string_view dot_segments[] = {
    "..",        ".",          "../x",   "x/..",      "x/../y",  "./x",        "x/./y",          "x/.",
    "%2e%2e/x",  "%2E%2E/x",   ".%2e/x", "%2e./x",    "x/%2e",   "x/%2e/y",    "..%2fx",         "x%2f..%2fy",
    "%2e%2e%2f", "x%2F%2e%2E", "..\\x",  "x\\..\\y",  "..%5cx",  "x%5C%2e%2e", "x%5c..",         "x//../y",
    "..;/x",     "x/..;a=b/y", "x/.;a",  "%2e%2e;/x", "..%3b/x", "x\\.",       "x/y/..%5c..%2f", "..//x"};

TEST(Router, dot_segments_are_not_values) {
    router_fixture t;
    t.add("/<path:x>");
    t.add("/<name>/<path:x>");
    for (const std::string_view segments : dot_segments)
        EXPECT_EQ(t.find("/" + std::string(segments)), "none") << segments;
    for (const std::string_view segments : dot_segments)
        EXPECT_EQ(t.find("/a/" + std::string(segments)), "none") << segments;
    router_fixture single;
    single.add("/<x>");
    for (const char* segments : {"..", ".", "a%2f..%2fb", "..%2f", "..%5Cx", "..\\x", "%2e%2e;a"})
        EXPECT_EQ(single.find("/" + std::string(segments)), "none") << segments;
    // Doubly encoded dots, and dots next to other characters, are data.
    for (const char* segments :
         {"%252e%252e/x", "..%252fx", ".../x", "a../b", "..a", ".a/b", "a./b", "x/...", "%c0%ae/x"})
        EXPECT_NE(t.find("/" + std::string(segments)), "none") << segments;
}

// Rejects a path that a server behind a `path` parameter may interpret as another route.
TEST(Router, rejects_a_rest_that_others_may_read_as_another_route) {
    router_fixture t;
    t.add("/<path:x>");
    t.add("/admin/<path:x>");
    t.add("/admin/<name>/key");
    t.add("/files/<path:x>");
    for (const char* path : {"//admin/y", "///admin/y", "/admin%2Fy", "/admin%2fy", "/admin\\y", "/admin%5cy",
                             "/%61dmin%2fy", "/\\admin/y", "/%2fadmin/y", "/%2f%5cadmin\\y", "/admin;a=b/y",
                             "//admin;/y", "/admin%3bx/y", "/admin//b%2fkey", "/files%2f..."})
        EXPECT_THROW(t.find(path), http_error) << path;
    // A segment that consists of a path parameter vanishes if parameters are removed.
    for (const char* path : {"/;/admin/x", "/;x=1/admin/x", "/;a=/admin/x", "/%3b/admin/x", "/%3Bx/admin/x",
                             "/;;/;/admin/x", "/;%2f;/admin/x", "/;a=%2f/admin/x", "/%5c;/admin/x", "/;\\admin/x",
                             "/;x%2fadmin/x", "/;..%5cadmin/x", "/;%2f%2f%5c;a/;/admin/x", "/admin/;/b/key",
                             "/admin/b/%3bx/key", "/;../admin/x", "/%3b../admin/x", "/;./files/"})
        EXPECT_THROW(t.find(path), http_error) << path;
    for (const char* path : {"/.;/admin/x", "/..;/admin/x", "/%2e;x/admin/x", "/.%3b/admin/x", "/;%2f../admin/x",
                             "/;/../admin/x", "/x/%2e%2e;/admin/x", "/;/.;/admin/x"})
        EXPECT_TRUE(t.is_rejected(path)) << path;
    EXPECT_EQ(t.find("/files/;/x;y/"), "/files/<path:x> ;/x;y/");
    EXPECT_EQ(t.find("/a;b/;c"), "/<path:x> a;b/;c");
    EXPECT_EQ(t.find("/;"), "/<path:x> ;");
    EXPECT_EQ(t.find("/admin/a%2fb"), "/admin/<path:x> a/b");
    EXPECT_EQ(t.find("/files//a\\b%2f;c"), "/files/<path:x> /a\\b/;c");
    EXPECT_EQ(t.find("/fetch/http://example.org/a"), "/<path:x> fetch/http://example.org/a");
    EXPECT_EQ(t.find("/projects/group%2Fname"), "/<path:x> projects/group/name");
    EXPECT_EQ(t.find("/admin%252fy"), "/<path:x> admin%2fy") << "encoded twice";
    EXPECT_EQ(t.find("/administrator//x"), "/<path:x> administrator//x");
    // At any depth, after any other segments.
    EXPECT_THROW(t.find("/" + std::string(4000, '/') + "admin/" + std::string(3000, '/')), http_error);
    EXPECT_EQ(t.find("/x" + std::string(4000, '/') + "admin/y"), "/<path:x> x" + std::string(4000, '/') + "admin/y");
}

// Some servers remove path parameters before decoding: a parameter may contain an encoded slash, and an encoded ';' is
// part of a name.
TEST(Router, path_parameters_may_be_removed_before_decoding) {
    router_fixture t;
    t.add("/<path:x>");
    t.add("/admin/<name>/key");
    for (const char* path : {"/admin;%2fz/b%2fkey", "/admin;z\\z/b\\key", "/admin;%5cz/b%5ckey", "/admin;/%3bx/key",
                             "/;z%2fz/admin/b%2fkey"})
        EXPECT_THROW(t.find(path), http_error) << path;
    EXPECT_EQ(t.find("/public;%2fz/b%2fkey"), "/<path:x> public;/z/b/key");
}

TEST(Router, prefers_specific_converters) {
    router_fixture t;
    t.add("/<path:x>");
    t.add("/<str:x>");
    t.add("/<slug:x>");
    t.add("/<month:x>", method_bit(method::get), [](std::string_view text) { return text == "may" || text == "7"; });
    t.add("/<float:x>");
    t.add("/<int:x>");
    t.add("/<uint:x>");
    t.add("/7");
    EXPECT_EQ(t.find("/7"), "/7");
    EXPECT_EQ(t.find("/8"), "/<uint:x> 8");
    EXPECT_EQ(t.find("/-8"), "/<int:x> -8");
    EXPECT_EQ(t.find("/8.5"), "/<float:x> 8.5");
    EXPECT_EQ(t.find("/may"), "/<month:x> may");
    EXPECT_EQ(t.find("/june"), "/<slug:x> june");
    EXPECT_EQ(t.find("/j.e"), "/<str:x> j.e");
    EXPECT_EQ(t.find("/j/e"), "/<path:x> j/e");
}

TEST(Router, backtracks_when_the_preferred_branch_has_no_match) {
    router_fixture t;
    t.add("/a/b/c");
    t.add("/a/<x>/d");
    t.add("/<x>/b/e");
    t.add("/<path:x>", method_bit(method::post));
    EXPECT_EQ(t.find("/a/b/c"), "/a/b/c");
    EXPECT_EQ(t.find("/a/b/d"), "/a/<x>/d b");
    EXPECT_EQ(t.find("/a/b/e"), "/<x>/b/e a");
    EXPECT_EQ(t.find("/a/b/f"), "none");
    EXPECT_EQ(t.allowed, method_bit(method::post) | method_bit(method::options));
    EXPECT_EQ(t.find("/a/b/c", method::post), "/<path:x> a/b/c");
}

TEST(Router, matches_methods) {
    router_fixture t;
    t.add("/x", method_bit(method::get));
    t.add("/x", method_bit(method::put) | method_bit(method::delete_));
    t.add("/any", 0);
    t.add("/any", method_bit(method::post));
    EXPECT_EQ(t.find("/x", method::head), "/x");
    EXPECT_EQ(t.find("/x", method::delete_), "/x");
    EXPECT_EQ(t.find("/x", method::post), "none");
    EXPECT_EQ(method_names(t.allowed), "GET, HEAD, PUT, DELETE, OPTIONS");
    EXPECT_EQ(t.find("/x", method::other), "none");
    EXPECT_EQ(t.find("/any", method::other), "/any");
    EXPECT_EQ(t.find("/any", method::options), "/any");
    EXPECT_EQ(t.find("/any", method::trace), "none");
    EXPECT_EQ(t.find("/any", method::connect), "none");
    EXPECT_EQ(method_names(t.allowed), "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH");
    EXPECT_EQ(t.tree.find(method::post, "/any", t.memory).route, &t.routes[3]);
}

std::string add_error(router_fixture& t, std::string pattern, method_set methods, accepts_function own = nullptr) {
    try {
        t.add(std::move(pattern), methods, own);
    } catch (const std::invalid_argument& e) {
        return e.what();
    }
    return "accepted";
}

TEST(Router, rejects_duplicate_routes) {
    router_fixture t;
    t.add("/a/<int:x>", method_bit(method::get) | method_bit(method::post));
    EXPECT_THAT(add_error(t, "/a/<int:y>", method_bit(method::post)),
                AllOf(HasSubstr("'/a/<int:x>'"), HasSubstr("'/a/<int:y>'"), HasSubstr("POST")));
    EXPECT_EQ(add_error(t, "/a/<uint:y>", method_bit(method::post)), "accepted");
    EXPECT_EQ(add_error(t, "/a/<int:y>", method_bit(method::put)), "accepted");
    EXPECT_EQ(add_error(t, "/a/<int:y>", 0), "accepted");
    EXPECT_THAT(add_error(t, "/a/<int:z>", 0), HasSubstr("every method"));
}

TEST(Router, rejects_two_converters_with_one_name) {
    router_fixture t;
    t.add("/<month:x>", method_bit(method::get), [](std::string_view) { return true; });
    EXPECT_THAT(add_error(t, "/<month:y>", method_bit(method::post), [](std::string_view) { return false; }),
                HasSubstr("'month'"));
}

TEST(Router, handles_many_routes_and_deep_paths) {
    router_fixture t;
    for (int i = 0; i < 500; ++i) t.add("/r" + std::to_string(i) + "/<int:x>/end");
    for (int i = 0; i < 500; ++i) {
        const auto n = std::to_string(i);
        EXPECT_EQ(t.find("/r" + n + "/" + n + "/end"), "/r" + n + "/<int:x>/end " + n);
    }
    std::string deep;
    for (int i = 0; i < 4000; ++i) deep += "/r1";
    EXPECT_EQ(t.find(deep), "none");
}

}  // namespace
}  // namespace rondo::detail
