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

class streaming final : public handler::application {
public:
    task<void> startup() override { co_return; }
    task<void> shutdown() override { co_return; }
    task<void> serve(handler::request& from, handler::responder& to) override {
        std::string body;
        for (bool whole = false; !whole;) {
            std::optional<std::string_view> part = from.body->try_read();
            if (!part) part = co_await from.body->read();
            body += *part;
            whole = part->empty();
        }
        http::fields fields;
        fields.add("X-Sum", "42");
        to.inform(http::status::early_hints, fields);
        handler::response_head head;
        head.reason = "Fine";
        to.start(head, std::nullopt);
        co_await to.wait_for_room();
        EXPECT_FALSE(to.try_write(std::string(handler::responder::large_write + 1, 'x')));
        EXPECT_TRUE(to.try_write(body));
        EXPECT_EQ(from.connection->local_port(), 80);
        to.finish_with(fields);
    }
};

TEST(TestClient, serves_the_whole_interface) {
    streaming app;
    test_client client(app);
    for (const std::size_t chunk_size : {0, 2}) {
        const test_response got =
            client.send({.method = "POST", .fields = {{"TE", "trailers"}}, .body = "hello", .chunk_size = chunk_size});
        EXPECT_EQ(got.body, "hello");
        EXPECT_EQ(got.reason, "Fine");
        ASSERT_EQ(got.interim.size(), 1u);
        EXPECT_EQ(got.interim[0].status, 103);
        EXPECT_EQ(got.trailers.find("X-Sum"), "42");
    }
    EXPECT_TRUE(client.get("/").trailers.empty());
}

}  // namespace
}  // namespace rondo
