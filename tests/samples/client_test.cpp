// SPDX-License-Identifier: Apache-2.0
// The sample of docs/testing.md.
#include <string>

#include <gtest/gtest.h>

#include <rondo/coro/when_all.hpp>
#include <rondo/web.hpp>
#include <rondo/web/test_client.hpp>

using namespace std::chrono_literals;

namespace {

rondo::task<rondo::response> greet(rondo::request& req, std::string name) {
    co_await rondo::sleep(1ms);
    co_return rondo::text("hello " + name).field("X-Seen", std::string(req.field("X-Mark").value_or("no")));
}

rondo::response refuse(rondo::request&) { throw rondo::http_error(422, "not this"); }

// [sample test]
rondo::app make_app() {
    rondo::app app;
    app.get("/greet/<name>", greet);
    app.post("/refuse", refuse);
    return app;
}

TEST(Greet, SaysTheName) {
    rondo::app app = make_app();
    rondo::test_client client(app);
    auto r = client.get("/greet/Ann", {{"X-Mark", "yes"}});
    EXPECT_EQ(r.status, 200);
    EXPECT_EQ(r.body, "hello Ann");
    EXPECT_EQ(r.field("X-Seen"), "yes");
    EXPECT_EQ(client.post("/refuse", "body").status, 422);
}
// [end]

// [sample several]
rondo::task<std::string> two_at_once(rondo::test_client& client) {
    auto [a, b] = co_await rondo::when_all(client.async_get("/greet/Ann"), client.async_get("/greet/Bob"));
    co_return a.body + ", " + b.body;
}

TEST(Greet, TwoAtOnce) {
    rondo::app app = make_app();
    rondo::test_client client(app);
    EXPECT_EQ(client.run(two_at_once(client)), "hello Ann, hello Bob");
}
// [end]

}  // namespace
