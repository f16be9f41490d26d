// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/error_response.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <stdexcept>
#include <thread>

#include <rondo/coro/when_all.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/web/app.hpp>
#include <rondo/web/test_client.hpp>

namespace rondo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

response secret(request&) { throw std::runtime_error("secret-detail"); }

app failing() {
    app a;
    a.get("/sync", secret);
    a.get("/async", [](request&) -> task<response> { throw std::runtime_error("secret-detail"); });
    a.get("/cpu", cpu(secret));
    a.get("/later", [](request&) -> task<response> {
        co_await sleep(clock::duration::zero());
        throw std::runtime_error("secret-detail");
    });
    a.get("/int", [](request&) -> task<response> { throw 7; });
    a.get("/http", [](request&) -> response { throw http_error(404, "article <b>17</b> not found"); });
    a.get("/field", [](request& req) { return text("x").field("X", req.query("v").value_or("")); });
    return a;
}

TEST(ErrorResponse, hides_unexpected_failures_from_the_client) {
    app a = failing();
    test_client client(a);
    for (const char* path : {"/sync", "/async", "/cpu", "/later", "/int"}) {
        for (const char* accept : {"*/*", "text/html", "application/json"}) {
            const auto r = client.get(path, {{"Accept", accept}});
            EXPECT_EQ(r.status, 500) << path;
            EXPECT_THAT(r.body, AllOf(HasSubstr("Internal Server Error"), Not(HasSubstr("secret")))) << path;
        }
    }
    EXPECT_EQ(client.get("/field?v=a%0d%0ab").status, 500);
    EXPECT_EQ(client.get("/field?v=a").status, 200);
}

TEST(ErrorResponse, negotiates_the_format) {
    app a = failing();
    test_client client(a);
    const auto plain = client.get("/http");
    EXPECT_EQ(plain.status, 404);
    EXPECT_EQ(plain.content_type, "text/plain; charset=utf-8");
    EXPECT_EQ(plain.body, "article <b>17</b> not found\n");
    const auto html = client.get("/http", {{"Accept", "text/html,application/xml;q=0.9,*/*;q=0.8"}});
    EXPECT_EQ(html.content_type, "text/html; charset=utf-8");
    EXPECT_THAT(html.body, AllOf(HasSubstr("article &lt;b&gt;17"), HasSubstr("<h1>404</h1>")));
    const auto json = client.get("/http", {{"Accept", "application/json"}});
    EXPECT_EQ(json.content_type, "application/json");
    EXPECT_EQ(json.body, R"({"status":404,"error":"Not Found","detail":"article <b>17</b> not found"})");
}

TEST(ErrorResponse, uses_the_error_handlers_of_the_application) {
    app sub;
    sub.on_error(404, [](request&, const failure& f) -> task<response> { co_return text("sub: " + f.text); });
    sub.get("/x", [](request&) -> response { throw http_error(404, "x"); });
    sub.get("/y", [](request&) -> response { throw http_error(409, "y"); });
    app a;
    a.on_error(404, [](request&, const failure& f) { return text("root: " + std::to_string(http::to_int(f.code))); });
    a.on_error(409, [](request&, const failure&) { return text("conflict").status(400); });
    a.on_error(500, [](request&, const failure& f) -> task<response> {
        EXPECT_TRUE(f.cause);
        throw std::runtime_error("the handler fails too");
    });
    a.on_error(405, [](request&, const failure&) { return text("no"); });
    a.get("/fails", secret);
    a.mount("/sub", std::move(sub));
    test_client client(a);
    EXPECT_EQ(client.get("/none").body, "root: 404");
    EXPECT_EQ(client.get("/none").status, 404);
    EXPECT_EQ(client.get("/sub/x").body, "sub: x");
    EXPECT_EQ(client.get("/sub/y").body, "conflict");
    EXPECT_EQ(client.get("/sub/y").status, 400);
    EXPECT_EQ(client.get("/fails").status, 500);
    EXPECT_THAT(client.get("/fails").body, HasSubstr("Internal Server Error"));
    EXPECT_EQ(client.post("/fails", "").field("Allow"), "GET, HEAD, OPTIONS");
    EXPECT_THROW(app().on_error(200, [](request&, const failure&) { return text(""); }), std::invalid_argument);
}

/// Writes some bytes, then fails.
class failing_body final : public body_source {
public:
    explicit failing_body(std::optional<std::uint64_t> length) : length_(length) {}
    task<void> send(handler::responder& to, const handler::response_head& head, request& req) override {
        to.start(head, length_);
        co_await to.write("first");
        if (req.query("throw")) throw std::runtime_error("secret-detail");
        to.finish();
    }

private:
    std::optional<std::uint64_t> length_;
};

TEST(ErrorResponse, a_failure_after_the_head_aborts) {
    app a;
    a.get("/<int:n>", [](request&, int n) {
        return with_source(std::make_unique<failing_body>(n == 0 ? std::nullopt : std::optional<std::uint64_t>(n)),
                           "text/plain");
    });
    test_client client(a);
    const auto thrown = client.get("/0?throw");
    EXPECT_EQ(thrown.status, 200);
    EXPECT_EQ(thrown.body, "first");
    EXPECT_TRUE(thrown.aborted);
    EXPECT_FALSE(client.get("/0").aborted);
    EXPECT_FALSE(client.get("/5").aborted);
    EXPECT_TRUE(client.get("/100").aborted);  // fewer bytes than declared
    const auto more = client.get("/2");       // more than declared
    EXPECT_TRUE(more.aborted);
    EXPECT_EQ(more.body, "");
}

struct set_on_destruction {
    bool& flag;
    ~set_on_destruction() { flag = true; }
};

TEST(ErrorResponse, a_disconnect_cancels_the_view) {
    bool cleaned = false;
    app a;
    a.get("/", [&cleaned](request&) -> task<response> {
        const set_on_destruction end{cleaned};
        co_await sleep(std::chrono::hours(1));
        co_return text("never");
    });
    test_client client(a);
    task_context connection;
    client.loop().post([&] { connection.cancel.cancel(cancel_reason::disconnected); });
    const auto r = client.loop().run_until(client.async_get("/"), &connection);
    EXPECT_TRUE(cleaned);
    EXPECT_EQ(r.status, 0);
    EXPECT_TRUE(r.aborted);
}

TEST(ErrorResponse, a_timeout_is_503) {
    app a;
    a.get("/", [](request&) -> task<response> {
        co_await sleep(std::chrono::hours(1));
        co_return text("never");
    });
    a.use([](request& req, next next) -> task<response> { co_return co_await next(req); });
    a.on_error(503, [](request&, const failure&) -> task<response> {
        co_await sleep(clock::duration::zero());  // cancelled as well, so the built-in page is sent
        co_return text("never");
    });
    test_client client(a);
    const auto r = client.run(with_timeout(std::chrono::milliseconds(2), client.async_get("/")));
    EXPECT_EQ(r.status, 503);
    EXPECT_EQ(r.field("Retry-After"), "1");
    EXPECT_FALSE(r.aborted);
}

TEST(ErrorResponse, a_sync_view_can_poll_for_cancellation) {
    event_loop* loop = nullptr;
    task_context request_context;
    app a;
    a.get("/", [&](request& req) {
        // Not before the view runs: a request cancelled earlier is not sent to a thread.
        loop->post([&] { request_context.cancel.cancel(cancel_reason::deadline); });
        while (!req.is_cancelled()) std::this_thread::yield();
        return text("cancelled");
    });
    test_client client(a);
    loop = &client.loop();
    const auto r = loop->run_until(client.async_get("/"), &request_context);
    EXPECT_EQ(r.body, "cancelled");
}

TEST(ErrorResponse, a_full_pool_is_503) {
    std::latch entered(1);
    std::latch release(1);
    app a;
    a.get("/hold", [&](request&) {
        entered.count_down();
        release.wait();
        return text("held");
    });
    a.get("/next", [](request&) { return text("next"); });
    a.get("/free", [&](request&) -> task<response> {
        release.count_down();
        co_return text("freed");
    });
    test_client client(a);
    thread_pool narrow({.name = "narrow", .threads = 1, .queue = 1});
    thread_pool* const before = client.loop().blocking();
    client.loop().use_pools(&narrow, client.loop().compute());
    const auto send_all = [](test_client& c, std::latch& in) -> task<std::vector<test_response>> {
        std::vector<task<test_response>> requests;
        requests.push_back(c.async_get("/hold"));
        requests.push_back([](test_client& c2, std::latch& in2) -> task<test_response> {
            in2.wait();
            co_return co_await c2.async_get("/next");
        }(c, in));
        requests.push_back(c.async_get("/next"));
        requests.push_back(c.async_get("/free"));
        co_return co_await when_all(std::move(requests));
    };
    const auto responses = client.run(send_all(client, entered));
    client.loop().use_pools(before, client.loop().compute());
    EXPECT_EQ(responses[0].body, "held");
    EXPECT_EQ(responses[1].body, "next");
    EXPECT_EQ(responses[2].status, 503);
    EXPECT_NE(responses[2].field("Retry-After"), "");
    EXPECT_EQ(responses[3].body, "freed");
}

}  // namespace
}  // namespace rondo
