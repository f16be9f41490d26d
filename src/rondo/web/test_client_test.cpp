// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/test_client.hpp>

#include <gtest/gtest.h>

#include <rondo/handler/error.hpp>
#include <rondo/web/app.hpp>

namespace rondo {
namespace {

/// A minimal implementation of handler::application.
class bare final : public handler::application {
public:
    task<void> startup() override { co_return; }
    task<void> shutdown() override {
        ++stopped;
        co_return;
    }
    task<void> serve(handler::request& from, handler::responder& to) override {
        if (from.path == "/nothing") co_return;
        if (from.path == "/twice") to.respond({}, "a");
        handler::response_head head;
        head.code = http::status::created;
        to.respond(head, from.target);
    }
    int stopped = 0;
};

TEST(TestClient, serves_any_application) {
    bare app;
    {
        test_client client(app);
        EXPECT_EQ(client.get("/a?b").body, "/a?b");
        EXPECT_EQ(client.get("/a").status, 201);
        EXPECT_THROW(client.get("/nothing"), response_error);
        EXPECT_THROW(client.get("/twice"), response_error);
    }
    EXPECT_EQ(app.stopped, 1);
}

TEST(TestClient, rejects_what_a_server_rejects) {
    bare app;
    test_client client(app);
    EXPECT_EQ(client.get("/a b").status, 400);
    EXPECT_EQ(client.get("/%zz").status, 400);
    EXPECT_EQ(client.get("/" + std::string(9000, 'a')).status, 414);
    EXPECT_EQ(client.get("/", {{"X", "a\r\nContent-Length: 3"}, {"Content-Length", "3"}}).status, 400);
}

TEST(TestClient, uses_the_loop_of_its_thread) {
    event_loop loop;
    bare app;
    test_client client(app);
    EXPECT_EQ(&client.loop(), &loop);
    const auto twice = [](test_client& c) -> task<std::string> {
        const auto first = co_await c.async_get("/1");
        const auto second = co_await c.async_post("/2", "body");
        co_return first.body + second.body;
    };
    EXPECT_EQ(client.run(twice(client)), "/1/2");
}

}  // namespace
}  // namespace rondo
