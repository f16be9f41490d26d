// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/sse.hpp>

#include <gtest/gtest.h>

#include <rondo/coro/event.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/web/exchange_fixture.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;
using testing::exchange;
using testing::test_loop;

async_generator<sse_event> count_to(int last, clock::duration pause) {
    for (int i = 1; i <= last; ++i) {
        if (pause > 0ms) co_await sleep(pause);
        co_yield sse_event(std::to_string(i), std::to_string(i), "a type longer than a small string");
    }
}

TEST(Sse, sends_events) {
    test_loop l;
    for (const auto pause : {0ms, 1ms}) {
        exchange x("/");
        l.run(x.send(sse(count_to(3, pause))));
        std::string expected;
        for (const char* n : {"1", "2", "3"}) {
            http::append(expected, {.data = n, .event = "a type longer than a small string", .id = n, .retry = {}});
        }
        EXPECT_EQ(x.to.body, expected);
        EXPECT_TRUE(x.to.finished);
    }
}

TEST(Sse, sets_the_fields_of_an_event_stream) {
    test_loop l;
    exchange x("/");
    l.run(x.send(sse(count_to(0, 0ms))));
    EXPECT_EQ(x.to.type, "text/event-stream");
    EXPECT_TRUE(x.to.field("Cache-Control").starts_with("no-cache"));
    EXPECT_EQ(x.to.field("X-Accel-Buffering"), "no");
    EXPECT_FALSE(x.to.length);
}

async_generator<sse_event> wait_then_one(event& go) {
    co_await go.wait();
    co_yield sse_event("now");
}

TEST(Sse, sends_the_head_at_once_and_keep_alive_comments) {
    test_loop l;
    exchange x("/");
    const auto run = [](exchange& to) -> task<void> {
        event go;
        task_group group(co_await this_context());
        group.spawn(to.send(sse(wait_then_one(go), {.keep_alive = 2ms})));
        EXPECT_TRUE(to.to.has_started());
        while (to.to.writes < 3) {
            to.to.write_done.reset();
            co_await to.to.write_done.wait();
        }
        go.set();
        co_await group.join();
    };
    l.run(run(x));
    EXPECT_TRUE(x.to.body.starts_with(": keep-alive\n")) << x.to.body;
    EXPECT_TRUE(x.to.body.ends_with("data: now\n\n")) << x.to.body;
    EXPECT_TRUE(x.to.finished);
}

TEST(Sse, a_disconnect_ends_the_generator) {
    test_loop l;
    exchange x("/");
    const auto run = [](exchange& to) -> task<void> {
        event never;
        task_group group(co_await this_context());
        group.spawn(to.send(sse(wait_then_one(never))));
        group.cancel(cancel_reason::disconnected);
        co_await group.join();
    };
    l.run(run(x));
    EXPECT_FALSE(x.to.finished);
    EXPECT_EQ(x.to.body, "");
}

TEST(Sse, a_broken_connection_ends_the_generator) {
    test_loop l;
    exchange x("/");
    x.to.fail_at = 1;
    const auto run = [](exchange& to) -> task<void> {
        event never;
        co_await to.send(sse(wait_then_one(never), {.keep_alive = 1ms}));
    };
    EXPECT_THROW(l.run(run(x)), std::system_error);
    EXPECT_FALSE(x.to.finished);
}

async_generator<sse_event> failing_events() {
    co_yield sse_event("first");
    throw std::runtime_error("secret-detail");
}

async_generator<sse_event> bad_id() { co_yield sse_event("first", "a\nb"); }

TEST(Sse, a_failure_aborts_the_stream) {
    test_loop l;
    exchange x("/"), y("/");
    EXPECT_THROW(l.run(x.send(sse(failing_events()))), std::runtime_error);
    EXPECT_FALSE(x.to.finished);
    EXPECT_THROW(l.run(y.send(sse(bad_id()))), std::invalid_argument);
    EXPECT_FALSE(y.to.finished);
}

async_generator<sse_event> endless_events(int& produced) {
    for (;;) {
        ++produced;
        co_yield sse_event("x");
    }
}

TEST(Sse, a_slow_client_suspends_the_generator) {
    test_loop l;
    exchange x("/");
    x.to.allow(0);
    int produced = 0;
    const auto run = [](exchange& to, int& n) -> task<void> {
        task_group group(co_await this_context());
        group.spawn(to.send(sse(endless_events(n))));
        co_await sleep(3ms);
        EXPECT_LE(n, 2);
        to.to.allow(5);
        co_await sleep(3ms);
        EXPECT_LE(n, 7);
        EXPECT_GE(n, 6);
        group.cancel();
        co_await group.join();
    };
    l.run(run(x, produced));
}

TEST(Sse, does_not_run_for_head) {
    test_loop l;
    exchange x("/", {}, "HEAD");
    int produced = 0;
    l.run(x.send(sse(endless_events(produced))));
    EXPECT_EQ(produced, 0);
    EXPECT_TRUE(x.to.finished);
}

TEST(LastEventId, returns_what_the_client_sent) {
    const exchange first("/"), again("/", {{"Last-Event-ID", "17"}});
    EXPECT_FALSE(last_event_id(first.req));
    EXPECT_EQ(last_event_id(again.req), "17");
}

}  // namespace
}  // namespace rondo
