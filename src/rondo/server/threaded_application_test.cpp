// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/threaded_application.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <rondo/coro/sync_wait.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/server/scripted_application_fixture.hpp>
#include <rondo/server/server_fixture.hpp>

namespace rondo::server {
namespace {

using namespace std::chrono_literals;
using testing::client;
using testing::get;
using testing::scripted_application;
using testing::test_server;

std::string body_of(const std::string& response) { return response.substr(response.find("\r\n\r\n") + 4); }

std::string chunk(const std::string& bytes) {
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    return size + bytes + "\r\n";
}

// Blocks views until the test opens it.
class gate {
public:
    void wait() {
        std::unique_lock lock(mutex_);
        max_inside_ = std::max(max_inside_, ++inside_);
        changed_.notify_all();
        changed_.wait_for(lock, 10s, [this] { return open_; });
        --inside_;
    }
    bool wait_for(int inside) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, 10s, [&] { return inside_ >= inside; });
    }
    void open() {
        const std::scoped_lock lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    int max_inside() {
        const std::scoped_lock lock(mutex_);
        return max_inside_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int inside_ = 0, max_inside_ = 0;
    bool open_ = false;
};

class ThreadWorker : public ::testing::TestWithParam<backend_kind> {
protected:
    ThreadWorker() {
        app_.on("/hold", gate_, [](gate& g, handler::request&, handler::responder& to) -> task<void> {
            g.wait();
            to.respond({.content_type = "text/plain"}, "held");
            co_return;
        });
    }
    ~ThreadWorker() override { gate_.open(); }

    void start(const thread_worker_options& with = {.threads = 2}, const options& limits = {}) {
        worker_ = std::make_unique<thread_worker>(app_, with);
        server_ = std::make_unique<test_server>(*worker_, GetParam(), limits);
    }
    [[nodiscard]] bool wait_until_idle() {
        for (int i = 0; i < 5000 && worker_->pool().running(); ++i) std::this_thread::sleep_for(2ms);
        return worker_->pool().running() == 0;
    }

    scripted_application app_;
    gate gate_;
    std::unique_ptr<thread_worker> worker_;
    std::unique_ptr<test_server> server_;
};

TEST_P(ThreadWorker, serves_requests_outside_the_loop_thread) {
    static std::atomic<std::thread::id> view_thread_id;
    app_.on("/where", [](handler::request& from, handler::responder& to) -> task<void> {
        view_thread_id = std::this_thread::get_id();
        EXPECT_EQ(from.connection->peer_address(), "127.0.0.1");
        EXPECT_FALSE(from.connection->is_secure());
        EXPECT_NE(from.stats, nullptr);
        EXPECT_FALSE(from.draining->is_set());
        EXPECT_EQ(from.memory->copy("text"), "text");
        http::fields fields;
        fields.add("X-Note", "one");
        to.respond({.code = http::status::created, .content_type = "text/x", .fields = &fields}, "served");
        co_return;
    });
    start();
    const auto loop = server_->call_on_loop([](server&) { return std::this_thread::get_id(); });
    client c(*server_);
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(c.send(get("/where")));
        const std::string got = c.response();
        EXPECT_TRUE(got.starts_with("HTTP/1.1 201 Created\r\n")) << got;
        EXPECT_NE(got.find("Content-Type: text/x\r\n"), got.npos);
        EXPECT_NE(got.find("X-Note: one\r\n"), got.npos);
        EXPECT_EQ(body_of(got), "served");
    }
    EXPECT_NE(view_thread_id.load(), loop);
}

TEST_P(ThreadWorker, runs_one_request_per_thread_at_once) {
    start({.threads = 3, .queue = 100});
    std::vector<std::unique_ptr<client>> clients;
    for (int i = 0; i < 8; ++i) {
        clients.push_back(std::make_unique<client>(*server_));
        ASSERT_TRUE(clients.back()->send(get("/hold")));
    }
    ASSERT_TRUE(gate_.wait_for(3));
    ASSERT_TRUE(server_->wait_until([&](server&) { return worker_->pool().waiting() == 5; }));
    EXPECT_EQ(gate_.max_inside(), 3);
    gate_.open();
    for (auto& c : clients) EXPECT_EQ(body_of(c->response()), "held");
    EXPECT_EQ(gate_.max_inside(), 3);
    EXPECT_EQ(worker_->pool().threads(), 3u);
}

TEST_P(ThreadWorker, the_sync_worker_runs_one_request_at_a_time) {
    start(sync_worker_options({.threads = 9}));
    client a(*server_), b(*server_);
    ASSERT_TRUE(a.send(get("/hold")));
    ASSERT_TRUE(gate_.wait_for(1));
    ASSERT_TRUE(b.send(get("/hold")));
    ASSERT_TRUE(server_->wait_until([&](server&) { return worker_->pool().waiting() == 1; }));
    gate_.open();
    EXPECT_EQ(body_of(a.response()), "held");
    EXPECT_EQ(body_of(b.response()), "held");
    EXPECT_EQ(gate_.max_inside(), 1);
}

TEST_P(ThreadWorker, refuses_requests_when_the_queue_is_full) {
    start({.threads = 1, .queue = 1});
    client running(*server_), queued(*server_), refused(*server_);
    ASSERT_TRUE(running.send(get("/hold")));
    ASSERT_TRUE(gate_.wait_for(1));
    ASSERT_TRUE(queued.send(get("/hold")));
    ASSERT_TRUE(server_->wait_until([&](server&) { return worker_->pool().waiting() == 1; }));
    ASSERT_TRUE(refused.send(get("/hold")));
    EXPECT_TRUE(refused.response().starts_with("HTTP/1.1 503 "));
    gate_.open();
    EXPECT_EQ(body_of(running.response()), "held");
    EXPECT_EQ(body_of(queued.response()), "held");
    ASSERT_TRUE(refused.send(get("/")));
    EXPECT_EQ(body_of(refused.response()), "ok\n");
}

TEST_P(ThreadWorker, removes_a_queued_request_at_its_deadline_or_when_its_client_disconnects) {
    options limits;
    limits.request_timeout = 300ms;
    start({.threads = 1}, limits);
    client running(*server_), late(*server_), disconnecting(*server_);
    ASSERT_TRUE(running.send(get("/hold")));
    ASSERT_TRUE(gate_.wait_for(1));
    ASSERT_TRUE(late.send(get("/hold")));
    EXPECT_TRUE(late.response().starts_with("HTTP/1.1 503 "));
    ASSERT_TRUE(disconnecting.send(get("/hold")));
    ASSERT_TRUE(server_->wait_until([&](server&) { return worker_->pool().waiting() == 1; }));
    disconnecting.reset();
    EXPECT_TRUE(server_->wait_until([&](server&) { return worker_->pool().waiting() == 0; }));
    gate_.open();
    EXPECT_EQ(gate_.max_inside(), 1);
}

TEST_P(ThreadWorker, keeps_threads_free_of_slow_heads_uploads_and_idle_connections) {
    app_.on("/size", [](handler::request& from, handler::responder& to) -> task<void> {
        std::size_t size = 0;
        for (std::string_view part = co_await from.body->read(); !part.empty(); part = co_await from.body->read())
            size += part.size();
        to.respond({}, std::to_string(size));
    });
    options limits;
    limits.max_body = 4 << 20;
    start({.threads = 1, .body_in_memory = 64 * 1024}, limits);
    client idle(*server_), head(*server_), upload(*server_), chunked(*server_), other(*server_);
    ASSERT_TRUE(idle.send(get("/")));
    (void)idle.response();
    ASSERT_TRUE(head.send("GET / HTTP/1.1\r\nHo"));
    ASSERT_TRUE(
        upload.send("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + std::string(500'000, 'x')));
    ASSERT_TRUE(chunked.send("POST /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                             chunk(std::string(300'000, 'y'))));
    ASSERT_TRUE(server_->wait_until([&](server& s) { return s.server_stats().in_flight.load() == 2; }));
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(other.send(get("/")));
        EXPECT_EQ(body_of(other.response()), "ok\n");
    }
    ASSERT_TRUE(wait_until_idle());
    ASSERT_TRUE(upload.send(std::string(500'000, 'x')));
    EXPECT_EQ(body_of(upload.response()), "1000000");
    ASSERT_TRUE(chunked.send(chunk("12345") + "0\r\n\r\n"));
    EXPECT_EQ(body_of(chunked.response()), "300005");
    ASSERT_TRUE(head.send("st: a\r\n\r\n"));
    EXPECT_EQ(body_of(head.response()), "ok\n");
}

TEST_P(ThreadWorker, keeps_threads_free_of_slow_readers_of_complete_responses) {
    static const std::string large(20 << 20, 'z');
    app_.on("/large", [](handler::request&, handler::responder& to) -> task<void> {
        to.start({}, large.size());
        co_await to.write(large);
        to.finish();
    });
    app_.on("/file", [](handler::request&, handler::responder& to) -> task<void> {
        std::string name = "/tmp/rondo-test-XXXXXX";
        const unique_fd file(::mkstemp(name.data()));
        ::unlink(name.c_str());
        EXPECT_EQ(::write(file.value(), large.data(), large.size()), static_cast<ssize_t>(large.size()));
        to.start({}, large.size() + 4);
        co_await to.write("file");
        co_await to.write_file(file.value(), 0, large.size());
        to.finish();
    });
    start({.threads = 1});
    client slow(*server_), file(*server_), other(*server_);
    ASSERT_TRUE(slow.send(get("/large")));
    ASSERT_TRUE(file.send(get("/file")));
    EXPECT_TRUE(slow.receive_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
    EXPECT_TRUE(file.receive_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
    ASSERT_TRUE(wait_until_idle());
    ASSERT_TRUE(other.send(get("/")));
    EXPECT_EQ(body_of(other.response()), "ok\n");
    EXPECT_EQ(slow.receive_exactly(large.size()), large);
    EXPECT_EQ(file.receive_exactly(large.size() + 4), "file" + large);
}

TEST_P(ThreadWorker, streams_with_backpressure) {
    static std::atomic<int> written;
    written = 0;
    app_.on("/stream", [](handler::request&, handler::responder& to) -> task<void> {
        to.start({.content_type = "text/plain"}, {});
        const std::string piece(100'000, 's');
        for (int i = 0; i < 300; ++i) {
            co_await to.write(piece);
            ++written;
        }
        to.finish();
    });
    start({.threads = 1});
    client c(*server_);
    ASSERT_TRUE(c.send("GET /stream HTTP/1.0\r\n\r\n"));
    std::string got = c.receive_until("\r\n\r\n");
    EXPECT_TRUE(got.starts_with("HTTP/1.1 200 "));
    EXPECT_LT(written.load(), 300);
    EXPECT_EQ(c.receive_all().size(), 30'000'000u);
    EXPECT_EQ(written.load(), 300);
}

TEST_P(ThreadWorker, sends_stream_pieces_immediately_even_when_the_view_blocks_afterwards) {
    app_.on("/two", gate_, [](gate& g, handler::request&, handler::responder& to) -> task<void> {
        to.start({.content_type = "text/plain"}, {});
        co_await to.write("one");
        g.wait();
        co_await to.write("two");
        to.finish();
    });
    app_.on("/head", [](handler::request&, handler::responder& to) -> task<void> {
        to.start({.content_type = "text/plain"}, {});
        co_await sleep(60s);
    });
    start();
    client c(*server_), head(*server_);
    ASSERT_TRUE(head.send(get("/head")));
    EXPECT_TRUE(head.receive_until("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    ASSERT_TRUE(c.send(get("/two")));
    EXPECT_TRUE(c.receive_until("one\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    gate_.open();
    EXPECT_EQ(c.receive_until("0\r\n\r\n"), "3\r\ntwo\r\n0\r\n\r\n");
}

TEST_P(ThreadWorker, runs_coroutines_on_the_loop_of_the_thread) {
    static thread_pool compute({.name = "compute"});
    app_.on("/await", [](handler::request&, handler::responder& to) -> task<void> {
        const auto own_thread = std::this_thread::get_id();
        struct parts {
            static task<int> one() {
                co_await sleep(2ms);
                co_return 1;
            }
        };
        const auto [a, b] = co_await when_all(parts::one(), parts::one());
        // Without a pool, blocking functions run on this thread and may block.
        const auto blocking = co_await run_blocking([] {
            EXPECT_TRUE(blocking_allowed());
            EXPECT_EQ(event_loop::current_or_null(), nullptr);
            event_loop own;
            EXPECT_EQ(own.run_until(parts::one()), 1);
            return std::this_thread::get_id();
        });
        EXPECT_EQ(blocking, own_thread);
        EXPECT_FALSE(blocking_allowed());
        const auto computing = co_await run_compute([] { return std::this_thread::get_id(); });
        EXPECT_NE(computing, own_thread);
        EXPECT_EQ(std::this_thread::get_id(), own_thread);
        to.respond({}, std::to_string(a + b));
    });
    start({.threads = 1, .compute = &compute});
    client c(*server_);
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(c.send(get("/await")));
        EXPECT_EQ(body_of(c.response()), "2");
    }
}

TEST_P(ThreadWorker, cancels_a_request_when_its_client_disconnects) {
    static std::atomic<cancel_reason> observed_reason;
    static std::atomic<bool> started;
    app_.on("/wait", [](handler::request&, handler::responder&) -> task<void> {
        started = true;
        try {
            co_await sleep(60s);
        } catch (const cancelled& c) {
            observed_reason = c.reason;
            throw;
        }
    });
    app_.on("/watch", [](handler::request& from, handler::responder& to) -> task<void> {
        started = true;
        for (int i = 0; i < 5000 && !from.context->token().is_cancelled(); ++i) std::this_thread::sleep_for(2ms);
        observed_reason = from.context->token().reason();
        to.respond({}, "too late");
        co_return;
    });
    app_.on("/ticks", [](handler::request&, handler::responder& to) -> task<void> {
        started = true;
        to.start({}, {});
        const std::string piece(100'000, 't');
        try {
            for (;;) co_await to.write(piece);
        } catch (const cancelled& c) {
            observed_reason = c.reason;
            throw;
        } catch (const std::exception&) {
            observed_reason = cancel_reason::disconnected;
            throw;
        }
    });
    start({.threads = 1});
    for (const char* path : {"/wait", "/watch", "/ticks"}) {
        observed_reason = cancel_reason::none;
        started = false;
        client c(*server_);
        ASSERT_TRUE(c.send(get(path)));
        ASSERT_TRUE(server_->wait_until([](server&) { return started.load(); }));
        c.reset();
        EXPECT_TRUE(server_->wait_until([](server&) { return observed_reason.load() == cancel_reason::disconnected; }))
            << path;
        EXPECT_TRUE(wait_until_idle());
    }
    client after(*server_);
    ASSERT_TRUE(after.send(get("/")));
    EXPECT_EQ(body_of(after.response()), "ok\n");
}

TEST_P(ThreadWorker, cancels_requests_at_the_deadline_and_at_the_end_of_a_drain) {
    static std::atomic<int> waiting;
    waiting = 0;
    app_.on("/wait", [](handler::request&, handler::responder&) -> task<void> {
        ++waiting;
        co_await sleep(60s);
    });
    app_.on("/until-drain", [](handler::request& from, handler::responder& to) -> task<void> {
        ++waiting;
        co_await from.draining->wait();
        to.respond({}, "drained");
    });
    options limits;
    limits.request_timeout = 200ms;
    start({.threads = 3}, limits);
    client late(*server_);
    ASSERT_TRUE(late.send(get("/wait")));
    EXPECT_TRUE(late.response().starts_with("HTTP/1.1 503 "));
    server_->stop(0ms);

    waiting = 0;
    start({.threads = 3});
    client hangs(*server_), polls(*server_);
    ASSERT_TRUE(hangs.send(get("/wait")));
    ASSERT_TRUE(polls.send(get("/until-drain")));
    ASSERT_TRUE(server_->wait_until([](server&) { return waiting.load() == 2; }));
    server_->stop(200ms);
    EXPECT_EQ(body_of(polls.response()), "drained");
    EXPECT_TRUE(hangs.response().starts_with("HTTP/1.1 503 "));
}

TEST_P(ThreadWorker, answers_500_when_the_application_throws_or_sends_nothing) {
    app_.on("/throws", [](handler::request&, handler::responder&) -> task<void> {
        throw std::runtime_error("no");
        co_return;
    });
    app_.on("/nothing", [](handler::request&, handler::responder&) -> task<void> { co_return; });
    start();
    for (const char* path : {"/throws", "/nothing"}) {
        client c(*server_);
        ASSERT_TRUE(c.send(get(path)));
        EXPECT_TRUE(c.response().starts_with("HTTP/1.1 500 ")) << path;
    }
}

TEST_P(ThreadWorker, aborts_a_response_that_fails_midway) {
    app_.on("/midway", [](handler::request&, handler::responder& to) -> task<void> {
        to.start({}, {});
        co_await to.write("first");
        co_await sleep(100ms);
        throw std::runtime_error("no");
    });
    app_.on("/abort", [](handler::request&, handler::responder& to) -> task<void> {
        to.start({}, 100);
        co_await to.write("first");
        co_await sleep(100ms);
        to.abort();
        EXPECT_THROW(to.finish(), response_error);
    });
    start();
    for (const char* path : {"/midway", "/abort"}) {
        client c(*server_);
        ASSERT_TRUE(c.send(get(path)));
        const std::string got = c.receive_all();
        EXPECT_TRUE(got.starts_with("HTTP/1.1 200 ")) << path;
        EXPECT_NE(got.find("first"), got.npos);
        EXPECT_FALSE(got.ends_with("0\r\n\r\n"));
    }
}

TEST_P(ThreadWorker, replaces_an_unsent_response_by_an_error) {
    app_.on("/", [](handler::request&, handler::responder& to) -> task<void> {
        to.start({}, 100);
        to.abort_with(http::status::bad_gateway);
        co_return;
    });
    start();
    client c(*server_);
    ASSERT_TRUE(c.send(get("/")));
    EXPECT_TRUE(c.response().starts_with("HTTP/1.1 502 "));
}

TEST_P(ThreadWorker, passes_fields_that_are_too_large_to_the_application) {
    app_.on("/", [](handler::request&, handler::responder& to) -> task<void> {
        http::fields fields;
        fields.add("X-Large", std::string(70'000, 'x'));
        to.respond({.content_type = {}, .fields = &fields}, "");
        co_return;
    });
    start();
    client c(*server_);
    ASSERT_TRUE(c.send(get("/")));
    const std::string refused = c.response();  // by the application: see refuse()
    EXPECT_TRUE(refused.starts_with("HTTP/1.1 503 ")) << refused.substr(0, 200);
}

task<bool> is_write_refused(handler::responder& to) {
    try {
        co_await to.write("four");
    } catch (const response_error&) {
        co_return true;
    }
    co_return false;
}

TEST_P(ThreadWorker, enforces_the_rules_of_a_response) {
    app_.on("/", [](handler::request&, handler::responder& to) -> task<void> {
        EXPECT_THROW(to.finish(), response_error);
        to.start({}, 3);
        EXPECT_THROW(to.start({}, 3), response_error);
        EXPECT_THROW(to.respond({}, "x"), response_error);
        const bool too_long = co_await is_write_refused(to);
        EXPECT_TRUE(too_long);
        co_await to.write("12");
        EXPECT_THROW(to.finish(), response_error);
        co_await to.write("3");
        to.finish();
        EXPECT_EQ(to.body_bytes(), 3u);
        const bool after_the_end = co_await is_write_refused(to);
        EXPECT_TRUE(after_the_end);
    });
    start();
    client c(*server_);
    ASSERT_TRUE(c.send(get("/")));
    EXPECT_EQ(body_of(c.response()), "123");
}

TEST_P(ThreadWorker, enforces_body_limits) {
    app_.on("/large-body", [](handler::request& from, handler::responder& to) -> task<void> {
        from.body->limit(1'000'000);
        std::size_t size = 0;
        for (std::string_view part = co_await from.body->read(); !part.empty(); part = co_await from.body->read())
            size += part.size();
        EXPECT_TRUE(from.body->is_at_end());
        to.respond({}, std::to_string(size));
    });
    options limits;
    limits.max_body = 1000;
    start({.threads = 1}, limits);
    const std::string large(200'000, 'b');
    const std::string length = "Content-Length: " + std::to_string(large.size()) + "\r\n\r\n";
    for (const std::string& rest :
         {length + large, "Transfer-Encoding: chunked\r\n\r\n" + chunk(large) + "0\r\n\r\n"}) {
        client echo(*server_), raised(*server_);
        ASSERT_TRUE(echo.send("POST /echo HTTP/1.1\r\nHost: a\r\n" + rest));
        EXPECT_TRUE(echo.response().starts_with("HTTP/1.1 413 "));
        ASSERT_TRUE(raised.send("POST /large-body HTTP/1.1\r\nHost: a\r\n" + rest));
        EXPECT_EQ(body_of(raised.response()), "200000");
        ASSERT_TRUE(raised.send(get("/")));
        EXPECT_EQ(body_of(raised.response()), "ok\n");
    }
    client broken(*server_), disconnecting_client(*server_);
    ASSERT_TRUE(broken.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"));
    EXPECT_TRUE(broken.response().starts_with("HTTP/1.1 400 "));
    ASSERT_TRUE(disconnecting_client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"));
    ASSERT_TRUE(server_->wait_until([](server& s) { return s.server_stats().in_flight.load() == 1; }));
    disconnecting_client.reset();
    EXPECT_TRUE(server_->wait_until([](server& s) { return s.server_stats().in_flight.load() == 0; }));
}

TEST_P(ThreadWorker, answers_head_without_a_body) {
    app_.on("/parts", [](handler::request&, handler::responder& to) -> task<void> {
        EXPECT_FALSE(to.needs_body());
        to.start({}, 10);
        co_await to.write("0123456789");
        to.finish();
    });
    start();
    client c(*server_);
    ASSERT_TRUE(c.send("HEAD /parts HTTP/1.1\r\nHost: a\r\n\r\n"));
    EXPECT_NE(c.receive_until("\r\n\r\n").find("Content-Length: 10\r\n"), std::string::npos);
    ASSERT_TRUE(c.send(get("/")));
    EXPECT_EQ(body_of(c.response()), "ok\n");
}

TEST_P(ThreadWorker, serves_many_clients_at_once) {
    app_.on("/mixed", [](handler::request& from, handler::responder& to) -> task<void> {
        const std::string text(from.query);
        if (text.size() % 2) co_await sleep(1ms);
        to.respond({}, text);
    });
    start({.threads = 4, .queue = 1000});
    std::vector<std::future<bool>> all;
    for (int n = 0; n < 8; ++n)
        all.push_back(std::async(std::launch::async, [this, n] {
            client c(*server_);
            bool good = true;
            for (int i = 0; i < 100; ++i) {
                const std::string text = std::to_string(n * 1000 + i * 7);
                good = good && c.send(get("/mixed?" + text)) && body_of(c.response()) == text;
            }
            return good;
        }));
    for (auto& one : all) EXPECT_TRUE(one.get());
}

TEST_P(ThreadWorker, reads_a_received_body_without_waiting) {
    app_.on("/x", [](handler::request& from, handler::responder& to) -> task<void> {
        const std::optional<std::string_view> part = from.body->try_read();
        EXPECT_TRUE(from.body->is_at_end());
        EXPECT_EQ(from.body->try_read(), "");
        EXPECT_EQ(co_await from.body->read(), "");
        to.respond({}, part.value_or("(none)"));
    });
    app_.on("/large", [](handler::request& from, handler::responder& to) -> task<void> {
        EXPECT_THROW((void)from.body->try_read(), http_error);
        from.body->limit(1'000'000);
        std::size_t size = 0;
        for (bool whole = false; !whole;) {
            std::optional<std::string_view> part = from.body->try_read();
            if (!part) part = co_await from.body->read();
            size += part->size();
            whole = part->empty();
        }
        to.respond({}, std::to_string(size));
    });
    options limits;
    limits.max_body = 1000;
    start({.threads = 2}, limits);
    client c(*server_);
    ASSERT_TRUE(c.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"));
    EXPECT_EQ(body_of(c.response()), "hello");
    ASSERT_TRUE(c.send(get("/x")));
    EXPECT_EQ(body_of(c.response()), "");
    ASSERT_TRUE(
        c.send("POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x')));
    EXPECT_EQ(body_of(c.response()), "100000");
}

TEST_P(ThreadWorker, writes_without_waiting) {
    static constexpr std::size_t part_size = 100'000;
    static constexpr std::size_t parts = 200;
    std::atomic<int> waits = 0;
    app_.on("/x", waits, [](std::atomic<int>& waits, handler::request&, handler::responder& to) -> task<void> {
        EXPECT_THROW((void)to.try_write("x"), response_error);
        to.start({}, parts * part_size);
        EXPECT_FALSE(to.try_write(std::string(handler::responder::large_write + 1, 'x')));
        for (std::size_t i = 0; i < parts; ++i) {
            const std::string part(part_size, static_cast<char>('a' + i % 26));
            while (!to.try_write(part)) {
                ++waits;
                co_await to.wait_for_room();
            }
        }
        EXPECT_THROW((void)to.try_write("x"), response_error);
        to.finish();
    });
    start();
    client c(*server_);
    ASSERT_TRUE(c.send(get("/x")));
    ASSERT_TRUE(server_->wait_until([&](server&) { return waits > 0; }));
    const std::string body = body_of(c.response());
    ASSERT_EQ(body.size(), parts * part_size);
    for (std::size_t i = 0; i < parts; ++i) ASSERT_EQ(body[i * part_size], static_cast<char>('a' + i % 26)) << i;
}

TEST_P(ThreadWorker, sends_interim_responses_reason_date_and_trailers) {
    app_.on("/x", gate_, [](gate& g, handler::request& from, handler::responder& to) -> task<void> {
        EXPECT_EQ(from.connection->local_address(), "127.0.0.1");
        EXPECT_NE(from.connection->local_port(), 0);
        EXPECT_FALSE(from.connection->is_unix());
        EXPECT_THROW(to.inform(http::status::ok, {}), response_error);
        http::fields link;
        link.add("Link", "</a.css>");
        to.inform(http::status::early_hints, link);
        if (from.query == "block") g.wait();
        http::fields fields;
        fields.add("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
        handler::response_head head;
        head.fields = &fields;
        head.has_date = true;
        head.reason = "bad\n";
        EXPECT_THROW(to.start(head, std::nullopt), response_error);
        head.reason = "All Right";
        if (from.query == "respond") co_return to.respond(head, "ok");
        to.start(head, std::nullopt);
        EXPECT_THROW(to.inform(http::status::early_hints, link), response_error);
        co_await to.write("ok");
        http::fields trailers;
        trailers.add("Host", "x");
        EXPECT_THROW(to.finish_with(trailers), response_error);
        trailers.clear();
        trailers.add("X-Sum", "42");
        to.finish_with(trailers);
    });
    start();
    const std::string interim = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    const std::string head = "HTTP/1.1 200 All Right\r\n";
    const auto closing = [](std::string_view path, std::string_view version = "1.1") {
        return "GET " + std::string(path) + " HTTP/" + std::string(version) +
               "\r\nHost: a\r\nTE: trailers\r\nConnection: close\r\n\r\n";
    };
    client blocked(*server_);
    ASSERT_TRUE(blocked.send(closing("/x?block")));
    EXPECT_EQ(blocked.receive_exactly(interim.size()), interim) << "sent while the view blocks its thread";
    gate_.open();
    std::string got = blocked.receive_all();
    EXPECT_TRUE(got.starts_with(head)) << got;
    EXPECT_TRUE(got.ends_with("\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n")) << got;
    client whole(*server_);
    ASSERT_TRUE(whole.send(closing("/x?respond")));
    got = whole.receive_all();
    EXPECT_TRUE(got.starts_with(interim + head)) << got;
    EXPECT_TRUE(got.ends_with("\r\n\r\nok")) << got;
    EXPECT_EQ(got.find("Date: "), got.rfind("Date: ")) << got;
    client old(*server_);
    ASSERT_TRUE(old.send(closing("/x", "1.0")));
    got = old.receive_all();
    EXPECT_TRUE(got.starts_with(head)) << got;
    EXPECT_TRUE(got.ends_with("\r\n\r\nok")) << got;
}

INSTANTIATE_TEST_SUITE_P(all, ThreadWorker, ::testing::Values(backend_kind::epoll, backend_kind::io_uring),
                         [](const auto& info) { return info.param == backend_kind::epoll ? "epoll" : "io_uring"; });

}  // namespace
}  // namespace rondo::server
