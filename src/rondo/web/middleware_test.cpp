// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/middleware.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include <rondo/web/app.hpp>
#include <rondo/web/request_id.hpp>
#include <rondo/web/test_client.hpp>

namespace rondo {
namespace {

/// Data that middleware passes to the view.
struct trace {
    std::string steps;
};

auto tracing_middleware(char name) {
    return [name](request& req, next next) -> task<response> {
        req.local<trace>().steps += name;
        response r = co_await next(req);
        r.add_field("X-Back", std::string(1, name));
        co_return r;
    };
}

response show_trace(request& req) { return text(req.local<trace>().steps); }

TEST(Middleware, runs_in_order_and_returns_in_reverse) {
    app sub;
    sub.use(tracing_middleware('c'));
    sub.get("/x", show_trace);
    app a;
    a.use(tracing_middleware('a'));
    a.use(tracing_middleware('b'));
    a.get("/y", show_trace);
    a.mount("/sub", std::move(sub));
    test_client client(a);
    EXPECT_EQ(client.get("/y").body, "ab");
    const auto r = client.get("/sub/x");
    EXPECT_EQ(r.body, "abc");
    std::string back;
    for (const auto& f : r.fields) back += f.value;
    EXPECT_EQ(back, "cba");
}

TEST(Middleware, wraps_responses_without_a_route) {
    app a;
    a.use(tracing_middleware('a'));
    a.get("/x", show_trace);
    test_client client(a);
    EXPECT_EQ(client.get("/none").status, 404);
    EXPECT_EQ(client.get("/none").field("X-Back"), "a");
    const auto r = client.post("/x", "");
    EXPECT_EQ(r.status, 405);
    EXPECT_EQ(r.field("Allow"), "GET, HEAD, OPTIONS");
    EXPECT_EQ(r.field("X-Back"), "a");
    EXPECT_EQ(client.get("/x/").field("Location"), "/x");
}

TEST(Middleware, may_respond_without_the_view) {
    app a;
    a.use([](request& req, next next) -> task<response> {
        if (!req.field("Authorization")) co_return status(401);
        co_return co_await next(req);
    });
    a.get("/", [](request&) { return text("in"); });
    test_client client(a);
    EXPECT_EQ(client.get("/").status, 401);
    EXPECT_EQ(client.get("/", {{"Authorization", "x"}}).body, "in");
}

TEST(Middleware, receives_a_response_for_a_failure) {
    app a;
    a.use(tracing_middleware('a'));
    a.use([](request&, next) -> task<response> { throw http_error(418); });
    a.get("/", [](request&) { return text("never"); });
    test_client client(a);
    const auto r = client.get("/");
    EXPECT_EQ(r.status, 418);
    EXPECT_EQ(r.field("X-Back"), "a");
}

TEST(Middleware, may_retry) {
    int calls = 0;
    app a;
    a.use([](request& req, next next) -> task<response> {
        response r = co_await next(req);
        if (r.code() == http::status::service_unavailable) r = co_await next(req);
        co_return r;
    });
    a.get("/", [&calls](request&) -> task<response> {
        if (++calls == 1) throw http_error(503);
        co_return text("second");
    });
    test_client client(a);
    EXPECT_EQ(client.get("/").body, "second");
    EXPECT_EQ(calls, 2);
}

TEST(Middleware, sync_middleware_runs_on_the_pool) {
    const auto loop_thread = std::this_thread::get_id();
    bool before_on_loop = true;
    bool after_on_loop = true;
    app a;
    a.use([&](request& req) -> std::optional<response> {
        before_on_loop = std::this_thread::get_id() == loop_thread;
        if (req.query("stop")) return text("stopped");
        return std::nullopt;
    });
    a.use([&](request&, response r) {
        after_on_loop = std::this_thread::get_id() == loop_thread;
        return std::move(r).field("X-After", "yes");
    });
    a.get("/", [](request&) -> task<response> { co_return text("view"); });
    test_client client(a);
    const auto r = client.get("/");
    EXPECT_EQ(r.body, "view");
    EXPECT_EQ(r.field("X-After"), "yes");
    EXPECT_FALSE(before_on_loop);
    EXPECT_FALSE(after_on_loop);
    EXPECT_EQ(client.get("/?stop").body, "stopped");
}

TEST(Middleware, locals_are_destroyed_with_the_request) {
    static int alive = 0;
    struct counted {
        counted() { ++alive; }
        ~counted() { --alive; }
    };
    app a;
    a.get("/", [](request& req) -> task<response> {
        EXPECT_EQ(req.local_or_null<counted>(), nullptr);
        counted& one = req.local<counted>();
        EXPECT_EQ(&one, &req.local<counted>());
        EXPECT_EQ(&one, req.local_or_null<counted>());
        EXPECT_EQ(alive, 1);
        co_return text("x");
    });
    test_client client(a);
    (void)client.get("/");
    EXPECT_EQ(alive, 0);
}

TEST(RequestId, is_generated_or_accepted) {
    app a;
    a.use(request_id);
    a.get("/", [](request& req) -> task<response> { co_return text(req.id()); });
    test_client client(a);
    const auto made = client.get("/");
    EXPECT_EQ(made.body.size(), 32U);
    EXPECT_EQ(made.field("X-Request-ID"), made.body);
    EXPECT_NE(client.get("/").body, made.body);
    EXPECT_EQ(client.get("/", {{"X-Request-ID", "proxy-1:2/3"}}).body, "proxy-1:2/3");
    for (const std::string& bad : {std::string("a b"), std::string("<x>"), std::string(129, 'a'), std::string("\"")}) {
        EXPECT_EQ(client.get("/", {{"X-Request-ID", bad}}).body.size(), 32U) << bad;
    }
    EXPECT_EQ(client.get("/none").field("X-Request-ID").size(), 32U);
}

}  // namespace
}  // namespace rondo
