// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/stream.hpp>

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/coro/task_group.hpp>
#include <rondo/web/exchange_fixture.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;
using testing::exchange;
using testing::test_loop;

/// Counts the coroutine frames that contain one.
struct frame_guard {
    explicit frame_guard(int& n) : count(n) { ++count; }
    ~frame_guard() { --count; }
    frame_guard(const frame_guard&) = delete;
    frame_guard& operator=(const frame_guard&) = delete;
    int& count;
};

async_generator<std::string> async_lines(int count) {
    for (int i = 0; i < count; ++i) {
        co_await sleep(1ms);
        co_yield "line " + std::to_string(i) + "\n";
    }
}

generator<std::string> blocking_lines(int count, std::vector<std::thread::id>& threads) {
    for (int i = 0; i < count; ++i) {
        threads.push_back(std::this_thread::get_id());
        co_yield "line " + std::to_string(i) + "\n";
    }
}

TEST(Stream, sends_what_an_async_generator_yields) {
    test_loop l;
    exchange x("/");
    l.run(x.send(stream(async_lines(3))));
    EXPECT_EQ(x.to.body, "line 0\nline 1\nline 2\n");
    EXPECT_EQ(x.to.writes, 3);
    EXPECT_FALSE(x.to.length);
    EXPECT_EQ(stream(async_lines(1)).content_type(), "text/plain; charset=utf-8");
    EXPECT_EQ(stream(async_lines(1), "text/csv").content_type(), "text/csv");
    EXPECT_TRUE(x.to.finished);
}

TEST(Stream, runs_a_blocking_generator_on_the_pool) {
    test_loop l;
    exchange x("/");
    std::vector<std::thread::id> threads;
    l.run(x.send(stream(blocking_lines(3, threads))));
    EXPECT_EQ(x.to.body, "line 0\nline 1\nline 2\n");
    ASSERT_EQ(threads.size(), 3u);
    for (const auto id : threads) EXPECT_NE(id, std::this_thread::get_id());
}

TEST(Stream, accepts_a_writing_function) {
    test_loop l;
    exchange x("/");
    const std::string name = "a name too long for the small string";
    // NOLINTNEXTLINE(cppcoreguidelines-avoid-capturing-lambda-coroutines): the response owns the lambda
    l.run(x.send(stream([name](writer& out) -> task<void> {
        co_await out.write("hello ");
        co_await sleep(1ms);
        co_await out.write(name);
    })));
    EXPECT_EQ(x.to.body, "hello a name too long for the small string");
    EXPECT_TRUE(x.to.finished);
}

TEST(Stream, may_be_empty) {
    test_loop l;
    exchange x("/");
    l.run(x.send(stream(async_lines(0))));
    EXPECT_EQ(x.to.status, http::status::ok);
    EXPECT_TRUE(x.to.finished);
}

TEST(Stream, can_declare_its_length) {
    test_loop l;
    exchange right("/"), less("/"), more("/");
    l.run(right.send(stream(async_lines(2), "text/plain", 14)));
    EXPECT_EQ(right.to.length, 14u);
    EXPECT_TRUE(right.to.finished);
    EXPECT_THROW(l.run(less.send(stream(async_lines(2), "text/plain", 100))), response_error);
    EXPECT_FALSE(less.to.finished);
    EXPECT_THROW(l.run(more.send(stream(async_lines(2), "text/plain", 8))), response_error);
    EXPECT_FALSE(more.to.finished);
}

TEST(Stream, does_not_run_for_head) {
    test_loop l;
    int produced = 0;
    const auto count = [](int& n) -> async_generator<std::string> {
        ++n;
        co_yield "x";
    };
    exchange x("/", {}, "HEAD");
    l.run(x.send(stream(count(produced))));
    EXPECT_EQ(produced, 0);
    EXPECT_TRUE(x.to.finished);
}

async_generator<std::string> failing(int after) {
    for (int i = 0; i < after; ++i) co_yield "piece";
    throw std::runtime_error("secret-detail");
}

generator<std::string> failing_blocking(int after) {
    for (int i = 0; i < after; ++i) co_yield "piece";
    throw std::runtime_error("secret-detail");
}

TEST(Stream, a_failure_before_the_first_piece_does_not_start_the_response) {
    test_loop l;
    exchange a("/"), b("/"), c("/");
    EXPECT_THROW(l.run(a.send(stream(failing(0)))), std::runtime_error);
    EXPECT_FALSE(a.to.has_started());
    EXPECT_THROW(l.run(b.send(stream(failing_blocking(0)))), std::runtime_error);
    EXPECT_FALSE(b.to.has_started());
    EXPECT_THROW(l.run(c.send(stream([](writer&) -> task<void> {
        co_await sleep(1ms);
        throw std::runtime_error("secret-detail");
    }))),
                 std::runtime_error);
    EXPECT_FALSE(c.to.has_started());
}

TEST(Stream, a_failure_after_the_first_piece_does_not_finish_the_response) {
    test_loop l;
    exchange a("/"), b("/");
    EXPECT_THROW(l.run(a.send(stream(failing(1)))), std::runtime_error);
    EXPECT_TRUE(a.to.has_started());
    EXPECT_FALSE(a.to.finished);
    EXPECT_THROW(l.run(b.send(stream(failing_blocking(1)))), std::runtime_error);
    EXPECT_FALSE(b.to.finished);
}

async_generator<std::string> counting_generator(int& produced) {
    for (;;) {
        ++produced;
        co_yield "x";
    }
}

TEST(Stream, a_slow_client_suspends_the_generator) {
    test_loop l;
    exchange x("/");
    x.to.allow(0);
    int produced = 0;
    const auto run = [](exchange& to, int& n) -> task<void> {
        task_group group(co_await this_context());
        group.spawn(to.send(stream(counting_generator(n))));
        co_await sleep(3ms);
        EXPECT_EQ(n, 1);
        to.to.allow(2);
        co_await sleep(3ms);
        EXPECT_EQ(n, 3);
        EXPECT_EQ(to.to.body, "xx");
        group.cancel(cancel_reason::disconnected);
        co_await group.join();
    };
    l.run(run(x, produced));
    EXPECT_FALSE(x.to.finished);
}

async_generator<std::string> waiting_generator(int& frames, event& never) {
    const frame_guard here(frames);
    co_yield "first";
    co_await never.wait();
    co_yield "last";
}

TEST(Stream, a_disconnect_ends_the_generator) {
    test_loop l;
    exchange x("/");
    int frames = 0;
    event never;
    const auto run = [](exchange& to, int& n, event& e) -> task<void> {
        task_group group(co_await this_context());
        group.spawn(to.send(stream(waiting_generator(n, e))));
        EXPECT_EQ(n, 1);
        group.cancel(cancel_reason::disconnected);
        co_await group.join();
    };
    l.run(run(x, frames, never));
    EXPECT_EQ(frames, 0);
    EXPECT_EQ(x.to.body, "first");
}

TEST(Stream, an_unsent_response_destroys_the_generator) {
    int frames = 0;
    event never;
    {
        const response r = stream(waiting_generator(frames, never));
    }
    EXPECT_EQ(frames, 0);
}

TEST(Stream, waits_for_a_thread_once_started) {
    event_loop loop;
    thread_pool pool({.name = "one", .threads = 1, .queue = 1});
    loop.use_pools(&pool, nullptr);
    exchange x("/");
    const auto run = [](exchange& to, thread_pool& busy) -> task<void> {
        std::vector<std::thread::id> threads;
        std::atomic<bool> release = false;
        task_group group(co_await this_context());
        to.to.allow(0);
        group.spawn(to.send(stream(blocking_lines(2, threads))));
        while (!to.to.has_started()) co_await sleep(1ms);
        const auto block = [](thread_pool& p, std::atomic<bool>& r) -> task<void> {
            co_await p.run([&r] { r.wait(false); });
        };
        group.spawn(block(busy, release));
        while (busy.running() == 0) co_await sleep(1ms);
        group.spawn(block(busy, release));
        EXPECT_EQ(busy.waiting(), 1u);  // the queue is full
        to.to.allow(10);
        co_await sleep(5ms);
        release = true;
        release.notify_all();
        co_await group.join();
    };
    loop.run_until(run(x, pool));
    EXPECT_EQ(x.to.body, "line 0\nline 1\n");
    EXPECT_TRUE(x.to.finished);
}

}  // namespace
}  // namespace rondo
