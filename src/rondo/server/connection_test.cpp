// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

#include <rondo/loop/loop.hpp>
#include <rondo/server/scripted_application_fixture.hpp>
#include <rondo/server/server_fixture.hpp>

namespace rondo::server {
namespace {

using namespace std::chrono_literals;
using testing::client;
using testing::get;
using testing::scripted_application;
using testing::test_server;

const std::string last_request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

std::string post(std::string_view body) {
    return "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string(body);
}

constexpr std::size_t large_size = 16 << 20;

int count_of(std::string_view text, std::string_view of) {
    int n = 0;
    for (std::size_t at = text.find(of); at != text.npos; at = text.find(of, at + 1)) ++n;
    return n;
}

class Connection : public ::testing::TestWithParam<backend_kind> {
protected:
    scripted_application app_;
    options limits_;
};

TEST_P(Connection, serves_several_requests) {
    test_server s(app_, GetParam());
    client c(s);
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(c.send(get("/")));
        std::string got = c.response();
        EXPECT_TRUE(got.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << got;
        EXPECT_TRUE(got.ends_with("\r\n\r\nok\n")) << got;
    }
    EXPECT_EQ(s.call_on_loop([](server& x) { return x.server_stats().requests.load(); }), 10u);
    EXPECT_EQ(s.call_on_loop([](server& x) { return x.server_stats().accepted.load(); }), 1u);
}

TEST_P(Connection, answers_pipelined_requests_in_order) {
    app_.on("/late", [](handler::request&, handler::responder& to) -> task<void> {
        co_await sleep(30ms);
        to.respond({}, "late");
    });
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send(get("/late") + post("one") + get("/late") + post("two") + last_request));
    std::string received = c.receive_all();
    EXPECT_EQ(count_of(received, "HTTP/1.1 200 OK"), 5);
    std::size_t at = 0;
    for (std::string_view body : {"\r\n\r\nlate", "\r\n\r\none", "\r\n\r\nlate", "\r\n\r\ntwo", "\r\n\r\nok\n"}) {
        at = received.find(body, at);
        ASSERT_NE(at, received.npos) << body;
        ++at;
    }
}

TEST_P(Connection, parses_input_byte_by_byte) {
    test_server s(app_, GetParam());
    client c(s);
    for (char byte : post("hello") + last_request) ASSERT_TRUE(c.send({&byte, 1}));
    std::string received = c.receive_all();
    EXPECT_EQ(count_of(received, "HTTP/1.1 200 OK"), 2) << received;
    EXPECT_NE(received.find("\r\n\r\nhello"), received.npos);
}

TEST_P(Connection, closes_after_answering_a_bad_request) {
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send(get("/") + "GET / HTTP/1.1\r\n\r\n" + get("/")));
    std::string received = c.receive_all();
    EXPECT_EQ(c.error(), 0);
    EXPECT_EQ(count_of(received, "HTTP/1.1 "), 2) << received;
    EXPECT_NE(received.find("HTTP/1.1 400 Bad Request\r\n"), received.npos);
    EXPECT_NE(received.find("Connection: close\r\n"), received.npos);
    EXPECT_EQ(s.call_on_loop([](server& x) { return x.server_stats().refused.load(); }), 1u);
}

TEST_P(Connection, answers_a_slow_head_with_408) {
    limits_.header_timeout = 100ms;
    test_server s(app_, GetParam(), limits_);
    client c(s);
    ASSERT_TRUE(c.send("GET / HTTP/1.1\r\nHo"));
    EXPECT_TRUE(c.receive_all().starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    EXPECT_EQ(c.error(), 0);
}

TEST_P(Connection, closes_without_a_response_when_silent) {
    limits_.header_timeout = 100ms;
    limits_.keepalive_timeout = 100ms;
    test_server s(app_, GetParam(), limits_);
    client silent(s);
    EXPECT_EQ(silent.receive_all(), "");
    client idle(s);
    ASSERT_TRUE(idle.send(get("/")));
    EXPECT_EQ(count_of(idle.receive_all(), "HTTP/1.1 "), 1);
}

TEST_P(Connection, answers_a_slow_body_with_408) {
    limits_.body_timeout = 100ms;
    test_server s(app_, GetParam(), limits_);
    client c(s);
    ASSERT_TRUE(c.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe"));
    EXPECT_TRUE(c.receive_all().starts_with("HTTP/1.1 408 "));
}

TEST_P(Connection, cancels_a_slow_view_and_answers_with_503) {
    std::atomic<bool> view_cancelled = false;
    app_.on("/hang", view_cancelled,
            [](std::atomic<bool>& at_deadline, handler::request&, handler::responder&) -> task<void> {
                try {
                    co_await sleep(60s);
                } catch (const cancelled& c) {
                    at_deadline = c.reason == cancel_reason::deadline;
                    throw;
                }
            });
    limits_.request_timeout = 100ms;
    test_server s(app_, GetParam(), limits_);
    client c(s);
    ASSERT_TRUE(c.send(get("/hang")));
    EXPECT_TRUE(c.receive_all().starts_with("HTTP/1.1 503 "));
    EXPECT_TRUE(view_cancelled);
}

TEST_P(Connection, delivers_an_error_to_a_client_that_keeps_sending) {
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send("POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"));
    std::string block(1 << 16, 'x');
    for (int i = 0; i < 50; ++i) (void)c.send(block);
    EXPECT_TRUE(c.receive_all().starts_with("HTTP/1.1 404 Not Found\r\n"));
    EXPECT_EQ(c.error(), 0);
}

// Unread input must not turn the close into an RST, which overtakes data in transit.
TEST_P(Connection, delivers_a_large_last_response_despite_further_input) {
    app_.on("/large", [](handler::request&, handler::responder& to) -> task<void> {
        std::string block(large_size, 'x');
        to.start({}, block.size());
        co_await to.write(block);
        to.finish();
    });
    test_server s(app_, GetParam());
    for (int i = 0; i < 5; ++i) {
        client c(s);
        ASSERT_TRUE(c.send("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        std::this_thread::sleep_for(5ms);
        ASSERT_TRUE(c.send(get("/")));
        std::string received = c.receive_all();
        EXPECT_EQ(c.error(), 0);
        EXPECT_GT(received.size(), large_size);
    }
}

TEST_P(Connection, serves_a_client_after_its_half_close) {
    app_.on("/late", [](handler::request&, handler::responder& to) -> task<void> {
        co_await sleep(50ms);
        to.respond({}, "late");
    });
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send(get("/late") + get("/late")));
    c.shutdown();
    std::string received = c.receive_all();
    EXPECT_EQ(count_of(received, "HTTP/1.1 200 OK"), 2) << received;
}

TEST_P(Connection, cancels_the_view_when_its_client_disconnects) {
    struct counters {
        std::atomic<int> waiting = 0, cancelled = 0, destroyed = 0;
    } views;
    app_.on("/hang", views, [](counters& n, handler::request&, handler::responder&) -> task<void> {
        struct counting {
            std::atomic<int>& destroyed;
            ~counting() { ++destroyed; }
        } object{n.destroyed};
        ++n.waiting;
        try {
            co_await sleep(60s);
        } catch (const cancelled& c) {
            if (c.reason == cancel_reason::disconnected) ++n.cancelled;
            throw;
        }
    });
    test_server s(app_, GetParam());
    client closes(s);
    client resets(s);
    ASSERT_TRUE(closes.send(get("/hang")));
    ASSERT_TRUE(resets.send(get("/hang") + get("/")));
    ASSERT_TRUE(s.wait_until([&](server&) { return views.waiting == 2; }));
    closes.close();
    resets.reset();
    ASSERT_TRUE(s.wait_until([&](server& x) { return x.connection_count() == 0; }));
    EXPECT_EQ(views.cancelled, 2);
    EXPECT_EQ(views.destroyed, 2);
    EXPECT_EQ(s.call_on_loop([](server& x) { return x.server_stats().in_flight.load(); }), 0u);
    EXPECT_EQ(s.call_on_loop([](server& x) { return x.server_stats().client_closed.load(); }), 2u);
}

TEST_P(Connection, resets_a_client_that_stops_reading) {
    limits_.write_timeout = 200ms;
    app_.on("/endless", [](handler::request&, handler::responder& to) -> task<void> {
        std::string block(100'000, 'x');
        to.start({}, std::nullopt);
        for (;;) co_await to.write(block);
    });
    test_server s(app_, GetParam(), limits_);
    client c(s);
    ASSERT_TRUE(c.send(get("/endless")));
    ASSERT_TRUE(
        s.wait_until([](server& x) { return x.server_stats().accepted.load() == 1 && x.connection_count() == 0; }));
    (void)c.receive_all();
    EXPECT_EQ(c.error(), ECONNRESET);
}

TEST_P(Connection, serves_a_client_that_reads_slowly) {
    limits_.write_timeout = 200ms;
    app_.on("/large", [](handler::request&, handler::responder& to) -> task<void> {
        std::string block(large_size, 'x');
        to.start({}, block.size());
        co_await to.write(block);
        to.finish();
    });
    test_server s(app_, GetParam(), limits_);
    client c(s);
    ASSERT_TRUE(c.send("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    std::size_t got = 0;
    for (int i = 0; i < 40; ++i) {
        got += c.receive(16'384).size();
        std::this_thread::sleep_for(20ms);
    }
    got += c.receive_all().size();
    EXPECT_GT(got, large_size);
    EXPECT_EQ(c.error(), 0);
}

TEST_P(Connection, stops_serving_pipelined_requests_when_output_backs_up) {
    app_.on("/block", [](handler::request&, handler::responder& to) -> task<void> {
        std::string block(100'000, 'x');
        to.start({}, block.size());
        co_await to.write(block);
        to.finish();
    });
    test_server s(app_, GetParam());
    client c(s);
    std::string many;
    for (int i = 0; i < 2000; ++i) many += get("/block");
    ASSERT_TRUE(c.send(many));
    std::this_thread::sleep_for(100ms);
    // About 200 MB are requested; only what fits into the kernel's buffers is sent.
    EXPECT_LT(s.call_on_loop([](server& x) { return x.server_stats().responses.load(); }), 500u);
    c.reset();
    EXPECT_TRUE(s.wait_until([](server& x) { return x.connection_count() == 0; }));
}

TEST_P(Connection, closes_after_an_http10_request) {
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send("GET / HTTP/1.0\r\n\r\n" + get("/")));
    std::string received = c.receive_all();
    EXPECT_EQ(count_of(received, "HTTP/1.1 200 OK"), 1) << received;
    client kept(s);
    ASSERT_TRUE(kept.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    EXPECT_NE(kept.response().find("Connection: keep-alive\r\n"), std::string::npos);
    ASSERT_TRUE(kept.send("GET / HTTP/1.0\r\n\r\n"));
    EXPECT_NE(kept.receive_all().find("ok\n"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(all, Connection, ::testing::Values(backend_kind::epoll, backend_kind::io_uring),
                         [](const auto& info) { return info.param == backend_kind::epoll ? "epoll" : "io_uring"; });

}  // namespace
}  // namespace rondo::server
