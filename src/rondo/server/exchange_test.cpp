// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include <unistd.h>

#include <rondo/coro/event.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/server/scripted_application_fixture.hpp>
#include <rondo/server/server_fixture.hpp>

namespace rondo::server {
namespace {

using namespace std::chrono_literals;
using handler::responder;
using testing::client;
using testing::scripted_application;
using testing::test_server;

std::string closing_get(std::string_view path, std::string_view version = "1.1") {
    return "GET " + std::string(path) + " HTTP/" + std::string(version) + "\r\nHost: a\r\nConnection: close\r\n\r\n";
}
std::string closing_post(std::string_view path, std::string_view fields, std::string_view body = {}) {
    return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + std::string(fields) +
           "\r\n" + std::string(body);
}

class Exchange : public ::testing::TestWithParam<backend_kind> {
protected:
    // Everything a client receives for one request.
    std::string response_to(std::string_view request_text, int* error = nullptr) {
        test_server s(app_, GetParam(), limits_);
        client c(s);
        EXPECT_TRUE(c.send(request_text));
        std::string received = c.receive_all();
        if (error) *error = c.error();
        return received;
    }
    void set_view(scripted_application::view v) { app_.on("/x", std::move(v)); }

    scripted_application app_;
    options limits_;
};

// The client may still read: the response goes on.
TEST_P(Exchange, reports_a_client_that_has_stopped_sending_to_the_listener) {
    struct waiting_listener final : handler::half_close_listener {
        void on_half_closed() noexcept override { closed.set(); }
        event closed;
    };
    set_view([](handler::request& from, responder& to) -> task<void> {
        waiting_listener listener;
        from.listener = &listener;
        to.start({}, std::nullopt);
        co_await to.write("first,");
        co_await listener.closed.wait();
        from.listener = nullptr;
        co_await to.write("last");
        to.finish();
    });
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n"));
    EXPECT_TRUE(c.receive_until("first,\r\n").ends_with("first,\r\n"));
    c.shutdown();
    EXPECT_TRUE(c.receive_all().ends_with("last\r\n0\r\n\r\n"));
}

TEST_P(Exchange, sends_a_response_in_one_piece) {
    set_view([](handler::request&, responder& to) -> task<void> {
        EXPECT_FALSE(to.has_started());
        http::fields fields;
        fields.add("X-A", "1");
        to.respond({.code = http::status::created, .content_type = "text/x", .fields = &fields}, "body");
        EXPECT_TRUE(to.has_started());
        EXPECT_EQ(to.code(), http::status::created);
        EXPECT_EQ(to.body_bytes(), 4u);
        co_return;
    });
    std::string got = response_to(closing_get("/x"));
    EXPECT_TRUE(got.starts_with("HTTP/1.1 201 Created\r\n")) << got;
    for (std::string_view line :
         {"Content-Type: text/x\r\n", "X-A: 1\r\n", "Content-Length: 4\r\n", "Connection: close\r\n"})
        EXPECT_NE(got.find(line), got.npos) << line;
    EXPECT_TRUE(got.ends_with("\r\n\r\nbody"));
}

task<void> write_pieces(responder& to, std::optional<std::uint64_t> length) {
    to.start({}, length);
    co_await to.write("one");
    co_await to.write("");
    co_await to.write("two");
    to.finish();
}

TEST_P(Exchange, sends_a_response_in_pieces) {
    set_view([](handler::request&, responder& to) { return write_pieces(to, std::nullopt); });
    app_.on("/known", [](handler::request&, responder& to) { return write_pieces(to, 6); });
    std::string got = response_to(closing_get("/x"));
    EXPECT_NE(got.find("Transfer-Encoding: chunked\r\n"), got.npos);
    EXPECT_TRUE(got.ends_with("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")) << got;
    got = response_to(closing_get("/known"));
    EXPECT_NE(got.find("Content-Length: 6\r\n"), got.npos);
    EXPECT_TRUE(got.ends_with("\r\n\r\nonetwo"));
    got = response_to(closing_get("/x", "1.0"));
    EXPECT_EQ(got.find("Transfer-Encoding"), got.npos);
    EXPECT_TRUE(got.ends_with("\r\n\r\nonetwo"));
}

TEST_P(Exchange, sends_large_pieces_as_chunks) {
    set_view([](handler::request&, responder& to) -> task<void> {
        std::string block(300'000, 'x');
        to.start({}, std::nullopt);
        for (int i = 0; i < 3; ++i) co_await to.write(block);
        to.finish();
    });
    std::string got = response_to(closing_get("/x"));
    EXPECT_GT(got.size(), 900'000u);
    EXPECT_NE(got.find("\r\n493e0\r\nxxx"), got.npos);
    EXPECT_TRUE(got.ends_with("x\r\n0\r\n\r\n"));
}

TEST_P(Exchange, omits_the_body_for_head_204_and_304) {
    set_view([](handler::request& from, responder& to) -> task<void> {
        auto code =
            from.query.empty() ? http::status::ok : static_cast<http::status>(std::stoi(std::string(from.query)));
        to.respond({.code = code, .content_type = "text/plain"}, "body");
        co_return;
    });
    app_.on("/stream", [](handler::request& from, responder& to) -> task<void> {
        EXPECT_EQ(to.needs_body(), from.method != http::method::head);
        return write_pieces(to, std::nullopt);
    });
    EXPECT_TRUE(response_to("HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ends_with("\r\n\r\n"));
    EXPECT_NE(response_to("HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").find("Content-Length: 4\r\n"),
              std::string::npos);
    EXPECT_TRUE(response_to("HEAD /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").ends_with("\r\n\r\n"));
    for (const char* code : {"204", "304"}) {
        std::string got = response_to(closing_get("/x?" + std::string(code)));
        EXPECT_TRUE(got.ends_with("\r\n\r\n")) << got;
        EXPECT_EQ(got.find("Transfer-Encoding"), got.npos);
        EXPECT_EQ(got.find("body"), got.npos);
    }
    EXPECT_EQ(response_to(closing_get("/x?204")).find("Content-Length"), std::string::npos);
}

// RFC 9110 section 15.3.6
TEST_P(Exchange, sends_a_205_without_content) {
    set_view([](handler::request&, responder& to) -> task<void> {
        to.respond({.code = http::status::reset_content, .content_type = "text/plain"}, "body");
        co_return;
    });
    app_.on("/started", [](handler::request& from, responder& to) -> task<void> {
        to.start({.code = http::status::reset_content, .content_type = {}},
                 from.query.empty() ? std::nullopt : std::optional<std::uint64_t>(4));
        co_await to.write("body");
        to.finish();
    });
    for (const char* path : {"/x", "/started", "/started?4"}) {
        for (const char* method : {"GET ", "HEAD "}) {
            const std::string got =
                response_to(method + std::string(path) + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            EXPECT_TRUE(got.ends_with("\r\n\r\n")) << got;
            EXPECT_NE(got.find("Content-Length: 0\r\n"), got.npos) << got;
            EXPECT_EQ(got.find("chunked"), got.npos) << got;
        }
        const std::string old = response_to("GET " + std::string(path) + " HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" +
                                            closing_get("/x").substr(0));
        EXPECT_NE(old.find("keep-alive"), old.npos) << "the length is known: " << old;
    }
}

// The rules of a response are enforced, and a response that breaks them never looks complete.
TEST_P(Exchange, throws_on_misuse) {
    set_view([](handler::request&, responder& to) -> task<void> {
        EXPECT_THROW(to.finish(), response_error);
        for (const int code : {0, 100, 103, 199, 600, 1000}) {
            EXPECT_THROW(to.respond({.code = static_cast<http::status>(code), .content_type = {}}, "x"),
                         response_error);
            EXPECT_THROW(to.start({.code = static_cast<http::status>(code), .content_type = {}}, 1), response_error);
        }
        to.respond({}, "done");
        EXPECT_THROW(to.respond({}, "again"), response_error);
        EXPECT_THROW(to.start({}, 5), response_error);
        EXPECT_THROW(to.finish(), response_error);
        bool refused = false;
        try {
            co_await to.write("more");
        } catch (const response_error&) {
            refused = true;
        }
        EXPECT_TRUE(refused);
    });
    EXPECT_TRUE(response_to(closing_get("/x")).ends_with("\r\n\r\ndone"));
}

TEST_P(Exchange, rejects_more_or_fewer_bytes_than_declared) {
    struct text {
        std::string_view first;
        std::string_view then;
    } more{"123456", ""}, fewer{"1234", ""}, more_later{"123", "456"}, fewer_later{"123", "4"};
    auto writing = [](text& t, handler::request&, responder& to) -> task<void> {
        to.start({}, 5);
        co_await to.write(t.first);
        if (!t.then.empty()) co_await sleep(20ms);
        co_await to.write(t.then);
        to.finish();
    };
    app_.on("/more", more, writing);
    app_.on("/fewer", fewer, writing);
    app_.on("/more-later", more_later, writing);
    app_.on("/fewer-later", fewer_later, writing);
    // Nothing was sent yet: an error response instead.
    for (const char* path : {"/more", "/fewer"}) {
        std::string got = response_to(closing_get(path));
        EXPECT_TRUE(got.starts_with("HTTP/1.1 500 ")) << got;
        EXPECT_EQ(got.find("HTTP/1.1 200"), got.npos);
    }
    for (const char* path : {"/more-later", "/fewer-later"}) {
        std::string got = response_to(closing_get(path));
        EXPECT_TRUE(got.starts_with("HTTP/1.1 200 "));
        EXPECT_NE(got.find("Content-Length: 5\r\n"), got.npos);
        EXPECT_LT(got.substr(got.find("\r\n\r\n") + 4).size(), 5u);
    }
}

TEST_P(Exchange, answers_a_failure_before_the_head_with_500) {
    set_view([](handler::request&, responder&) -> task<void> {
        throw std::runtime_error("secret");
        co_return;
    });
    app_.on("/nothing", [](handler::request&, responder&) -> task<void> { co_return; });
    for (const char* path : {"/x", "/nothing"}) {
        std::string got = response_to(closing_get(path));
        EXPECT_TRUE(got.starts_with("HTTP/1.1 500 ")) << got;
        EXPECT_EQ(got.find("secret"), got.npos);
    }
}

TEST_P(Exchange, aborts_the_connection_on_a_failure_after_the_head) {
    std::optional<std::uint64_t> none, hundred = 100;
    auto failing = [](std::optional<std::uint64_t>& length, handler::request&, responder& to) -> task<void> {
        to.start({}, length);
        co_await to.write("first");
        co_await sleep(20ms);
        throw std::runtime_error("secret");
    };
    app_.on("/chunked", none, failing);
    app_.on("/length", hundred, failing);
    std::string got = response_to(closing_get("/chunked"));
    EXPECT_TRUE(got.ends_with("5\r\nfirst\r\n")) << got;
    got = response_to(closing_get("/length"));
    EXPECT_TRUE(got.ends_with("\r\n\r\nfirst")) << got;
    int error = 0;
    got = response_to(closing_get("/chunked", "1.0"), &error);
    EXPECT_EQ(error, ECONNRESET);  // the only sign of a truncated body here
}

TEST_P(Exchange, abort_discards_unsent_output) {
    set_view([](handler::request&, responder& to) -> task<void> {
        to.start({}, std::nullopt);
        co_await to.write("discarded");
        to.abort();
        to.abort();
        EXPECT_TRUE(to.has_started());
    });
    std::string got = response_to("GET / HTTP/1.1\r\nHost: a\r\n\r\n" + closing_get("/x"));
    EXPECT_TRUE(got.starts_with("HTTP/1.1 200 OK\r\n"));  // the response before it is kept
    EXPECT_NE(got.find("ok\nHTTP/1.1 500 "), got.npos) << got;
    EXPECT_EQ(got.find("discarded"), got.npos);
}

TEST_P(Exchange, abort_as_sets_the_status_of_the_error) {
    set_view([](handler::request&, responder& to) -> task<void> {
        to.start({}, 4);
        to.abort_with(http::status::bad_gateway);
        co_return;
    });
    EXPECT_TRUE(response_to(closing_get("/x")).starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
}

TEST_P(Exchange, reads_the_body_of_a_request) {
    struct seen {
        std::optional<std::uint64_t> length{};
        std::string text{};
        bool ended_before = false, ended_after = false;
    } s;
    app_.on("/x", s, [](seen& s, handler::request& from, responder& to) -> task<void> {
        s = {};
        s.length = from.body->length();
        s.ended_before = from.body->is_at_end();
        for (std::string_view part = co_await from.body->read(); !part.empty(); part = co_await from.body->read())
            s.text += part;
        s.ended_after = from.body->is_at_end();
        EXPECT_EQ(co_await from.body->read(), "");
        to.respond({}, "");
    });
    EXPECT_TRUE(response_to(closing_get("/x")).starts_with("HTTP/1.1 200"));
    EXPECT_EQ(s.length, 0u);
    EXPECT_TRUE(s.ended_before);
    EXPECT_TRUE(response_to(closing_post("/x", "Content-Length: 5\r\n", "hello")).starts_with("HTTP/1.1 200"));
    EXPECT_EQ(s.length, 5u);
    EXPECT_EQ(s.text, "hello");
    EXPECT_FALSE(s.ended_before);
    EXPECT_TRUE(s.ended_after);
    EXPECT_TRUE(response_to(closing_post("/x", "Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"))
                    .starts_with("HTTP/1.1 200"));
    EXPECT_FALSE(s.length.has_value());
    EXPECT_EQ(s.text, "hello");
}

// On a view thread each piece costs a round trip to the loop, so the sender must not control their number.
TEST_P(Exchange, joins_tiny_chunks_that_arrive_together) {
    std::size_t pieces = 0;
    std::string text;
    app_.on("/x", [&](handler::request& from, responder& to) -> task<void> {
        for (std::string_view part = co_await from.body->read(); !part.empty(); part = co_await from.body->read()) {
            ++pieces;
            text += part;
        }
        to.respond({}, "");
    });
    std::string chunks;
    for (int i = 0; i < 2000; ++i) chunks += "1\r\nx\r\n";
    EXPECT_TRUE(response_to(closing_post("/x", "Transfer-Encoding: chunked\r\n", chunks + "0\r\n\r\n"))
                    .starts_with("HTTP/1.1 200"));
    EXPECT_EQ(text, std::string(2000, 'x'));
    EXPECT_LE(pieces, 20u);
}

TEST_P(Exchange, reads_a_body_after_the_response_has_started) {
    set_view([](handler::request& from, responder& to) -> task<void> {
        to.start({}, std::nullopt);
        for (std::string_view part = co_await from.body->read(); !part.empty(); part = co_await from.body->read())
            co_await to.write(part);
        to.finish();
    });
    const std::string got =
        response_to("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
    EXPECT_TRUE(got.ends_with("5\r\nhello\r\n0\r\n\r\n")) << got;
}

TEST_P(Exchange, enforces_the_body_limit) {
    limits_.max_body = 10;
    app_.on("/more", [](handler::request& from, responder& to) -> task<void> {
        EXPECT_EQ(from.body->limit(), 10u);
        from.body->limit(20);
        std::size_t size = 0;
        for (std::string_view part = co_await from.body->read(); !part.empty(); part = co_await from.body->read())
            size += part.size();
        to.respond({}, std::to_string(size));
    });
    std::string eleven(11, 'x');
    EXPECT_TRUE(response_to(closing_post("/echo", "Content-Length: 11\r\n", eleven)).starts_with("HTTP/1.1 413 "));
    EXPECT_TRUE(response_to(closing_post("/echo", "Transfer-Encoding: chunked\r\n", "b\r\n" + eleven + "\r\n0\r\n\r\n"))
                    .starts_with("HTTP/1.1 413 "));
    // The size of a chunk suffices.
    EXPECT_TRUE(response_to(closing_post("/echo", "Transfer-Encoding: chunked\r\n", "7fffffff\r\n"))
                    .starts_with("HTTP/1.1 413 "));
    EXPECT_TRUE(
        response_to(closing_post("/echo", "Content-Length: 10\r\n", "0123456789")).ends_with("\r\n\r\n0123456789"));
    EXPECT_TRUE(response_to(closing_post("/more", "Content-Length: 11\r\n", eleven)).ends_with("\r\n\r\n11"));
}

TEST_P(Exchange, sends_100_continue_when_the_body_is_read) {
    set_view([](handler::request&, responder& to) -> task<void> {
        to.respond({}, "unread");
        co_return;
    });
    test_server s(app_, GetParam());
    client reads(s);
    ASSERT_TRUE(reads.send(closing_post("/echo", "Expect: 100-continue\r\nContent-Length: 5\r\n")));
    EXPECT_EQ(reads.receive_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    ASSERT_TRUE(reads.send("hello"));
    EXPECT_TRUE(reads.receive_all().ends_with("hello"));
    client does_not(s);
    ASSERT_TRUE(does_not.send(closing_post("/x", "Expect: 100-continue\r\nContent-Length: 5\r\n")));
    EXPECT_TRUE(does_not.receive_all().starts_with("HTTP/1.1 200 OK"));
}

// A read that is cancelled on its own, here by a time limit, ends; the body can still be read.
TEST_P(Exchange, resumes_reading_after_a_cancelled_read) {
    std::atomic<int> late = 0;
    app_.on("/x", late, [](std::atomic<int>& count, handler::request& from, responder& to) -> task<void> {
        std::string body;
        for (bool whole = false; !whole;) {
            try {
                const std::string_view part = co_await with_timeout(20ms, from.body->read());
                body += part;
                whole = part.empty();
            } catch (const timed_out&) {
                ++count;
            }
        }
        to.respond({}, body);
    });
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send(closing_post("/x", "Content-Length: 5\r\n", "he")));
    ASSERT_TRUE(s.wait_until([&](auto&) { return late > 1; }));
    ASSERT_TRUE(c.send("llo"));
    EXPECT_TRUE(c.receive_all().ends_with("\r\n\r\nhello"));
}

TEST_P(Exchange, provides_trailers) {
    std::string received;
    app_.on("/x", received, [](std::string& sum, handler::request& from, responder& to) -> task<void> {
        EXPECT_EQ(from.body->trailers(), nullptr);
        while (!(co_await from.body->read()).empty()) {
        }
        if (const http::fields* t = from.body->trailers()) sum = t->find("X-Sum").value_or("");
        to.respond({}, "");
    });
    (void)response_to(
        closing_post("/x", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nX-Sum: 42\r\nHost: evil\r\n\r\n"));
    EXPECT_EQ(received, "42");
}

TEST_P(Exchange, keeps_request_views_valid_while_suspended) {
    set_view([](handler::request& from, responder& to) -> task<void> {
        std::string_view path = from.path, query = from.query, host = from.authority,
                         field = from.fields.find("X-A").value_or("");
        co_await sleep(50ms);
        to.respond({},
                   std::string(path) + " " + std::string(query) + " " + std::string(host) + " " + std::string(field));
    });
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send("GET /x?a=b HTTP/1.1\r\nHost: one\r\nX-A: yes\r\n\r\n"));
    // Overwrites the shared input buffer of the loop.
    client other(s);
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(
            other.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n" + std::string(2000, '#')));
        (void)other.response();
    }
    EXPECT_TRUE(c.response().ends_with("\r\n\r\n/x a=b one yes"));
}

task<std::string> try_read_all(handler::body& body) {
    std::string all;
    for (;;) {
        const std::optional<std::string_view> part = body.try_read();
        if (part && part->empty()) co_return all;
        if (part) all += *part;
        else all += co_await body.read();
    }
}

TEST_P(Exchange, reads_received_bytes_without_waiting) {
    struct seen {
        std::atomic<int> step{0};
        std::string text;
    } s;
    app_.on("/x", s, [](seen& s, handler::request& from, responder& to) -> task<void> {
        EXPECT_FALSE(from.body->try_read().has_value());
        EXPECT_FALSE(from.body->try_read().has_value());
        s.step = 1;
        s.text = co_await from.body->read();
        EXPECT_FALSE(from.body->try_read().has_value());
        s.step = 2;
        s.text += co_await try_read_all(*from.body);
        EXPECT_TRUE(from.body->is_at_end());
        EXPECT_EQ(from.body->try_read(), "");
        s.step = 3;
        to.respond({}, "");
    });
    for (const bool chunked : {false, true}) {
        s.step = 0;
        test_server server(app_, GetParam());
        client c(server);
        ASSERT_TRUE(c.send(closing_post("/x", chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: 5\r\n")));
        ASSERT_TRUE(server.wait_until([&](auto&) { return s.step == 1; }));
        ASSERT_TRUE(c.send(chunked ? "2\r\nhe\r\n" : "he"));
        ASSERT_TRUE(server.wait_until([&](auto&) { return s.step == 2; }));
        ASSERT_TRUE(c.send(chunked ? "3\r\nllo\r\n0\r\n\r\n" : "llo"));
        EXPECT_TRUE(c.receive_all().starts_with("HTTP/1.1 200"));
        ASSERT_TRUE(server.wait_until([&](auto&) { return s.step == 3; }));
        EXPECT_EQ(s.text, "hello");
    }
}

TEST_P(Exchange, try_read_returns_a_body_that_arrived_with_its_head) {
    set_view([](handler::request& from, responder& to) -> task<void> {
        const std::optional<std::string_view> part = from.body->try_read();
        const bool at_end = from.body->is_at_end();
        to.respond({}, std::string(part.value_or("(none)")) + (at_end ? " end" : ""));
        co_return;
    });
    EXPECT_TRUE(response_to(closing_post("/x", "Content-Length: 5\r\n", "hello")).ends_with("\r\n\r\nhello end"));
    EXPECT_TRUE(response_to(closing_get("/x")).ends_with("\r\n\r\n end"));
}

TEST_P(Exchange, try_read_sends_no_continue) {
    set_view([](handler::request& from, responder& to) -> task<void> {
        EXPECT_FALSE(from.body->try_read().has_value());
        to.respond({}, "unread");
        co_return;
    });
    EXPECT_TRUE(response_to(closing_post("/x", "Expect: 100-continue\r\nContent-Length: 5\r\n"))
                    .starts_with("HTTP/1.1 200 OK"));
}

TEST_P(Exchange, try_read_throws_like_read) {
    limits_.max_body = 10;
    set_view([](handler::request& from, responder& to) -> task<void> {
        http::status code{};
        std::string text;
        try {
            text = co_await try_read_all(*from.body);
        } catch (const http_error& e) {
            code = e.code();
        }
        if (code == http::status::content_too_large) {
            from.body->limit(20);
            text = co_await try_read_all(*from.body);
            code = http::status::ok;
        }
        to.respond({.code = code, .content_type = {}}, text);
    });
    const std::string eleven(11, 'x');
    EXPECT_TRUE(response_to(closing_post("/x", "Content-Length: 11\r\n", eleven)).ends_with("\r\n\r\n" + eleven));
    EXPECT_TRUE(response_to(closing_post("/x", "Transfer-Encoding: chunked\r\n", "b\r\n" + eleven + "\r\n0\r\n\r\n"))
                    .ends_with("\r\n\r\n" + eleven));
    EXPECT_TRUE(
        response_to(closing_post("/x", "Transfer-Encoding: chunked\r\n", "no\r\n")).starts_with("HTTP/1.1 400 "));
}

TEST_P(Exchange, try_read_never_ends_a_body_that_the_client_did_not_finish) {
    set_view([](handler::request& from, responder& to) -> task<void> {
        std::string seen;
        for (int failures = 0; failures < 2;) {
            try {
                std::optional<std::string_view> part = from.body->try_read();
                if (!part) part = co_await from.body->read();
                seen += part->empty() ? "(end)" : *part;
            } catch (const http_error& e) {
                ++failures;
                seen += " " + std::to_string(http::to_int(e.code()));
            }
        }
        to.respond({}, seen);
    });
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send(closing_post("/x", "Content-Length: 5\r\n", "he")));
    c.shutdown();
    EXPECT_TRUE(c.receive_all().ends_with("\r\n\r\nhe 400 400"));
}

TEST_P(Exchange, writes_without_waiting) {
    static constexpr std::size_t sizes[] = {1, 100, responder::small_body_limit, responder::small_body_limit + 1,
                                            100'000};
    std::optional<std::uint64_t> none, total = 0;
    std::string body, chunks;
    for (const std::size_t n : sizes) {
        *total += n;
        body += std::string(n, 'x');
        char size[20];
        std::snprintf(size, sizeof size, "%zx\r\n", n);
        chunks += size + std::string(n, 'x') + "\r\n";
    }
    const auto writing = [](std::optional<std::uint64_t>& length, handler::request&, responder& to) -> task<void> {
        to.start({}, length);
        EXPECT_TRUE(to.try_write(""));
        if (!length) {
            EXPECT_FALSE(to.try_write(std::string(responder::large_write + 1, 'x')));
        }
        for (const std::size_t n : sizes) {
            const std::string part(n, 'x');
            while (!to.try_write(part)) co_await to.wait_for_room();
        }
        if (length) {
            EXPECT_THROW((void)to.try_write("x"), response_error);
        }
        to.finish();
        EXPECT_THROW((void)to.try_write("x"), response_error);
    };
    app_.on("/chunked", none, writing);
    app_.on("/length", total, writing);
    EXPECT_TRUE(response_to(closing_get("/chunked")).ends_with("\r\n\r\n" + chunks + "0\r\n\r\n"));
    EXPECT_TRUE(response_to(closing_get("/length")).ends_with("\r\n\r\n" + body));
    EXPECT_TRUE(response_to(closing_get("/chunked", "1.0")).ends_with("\r\n\r\n" + body));
}

TEST_P(Exchange, try_write_before_the_head_is_misuse) {
    set_view([](handler::request&, responder& to) -> task<void> {
        EXPECT_THROW((void)to.try_write("x"), response_error);
        bool refused = false;
        try {
            co_await to.wait_for_room();
        } catch (const response_error&) {
            refused = true;
        }
        EXPECT_TRUE(refused);
        to.start({}, 1);
        EXPECT_TRUE(to.try_write("x"));
        EXPECT_THROW((void)to.try_write("y"), response_error);
        EXPECT_EQ(to.body_bytes(), 1u);
        to.finish();
    });
    EXPECT_TRUE(response_to(closing_get("/x")).ends_with("\r\n\r\nx"));
}

TEST_P(Exchange, try_write_takes_no_more_than_a_slow_client_receives) {
    static constexpr std::size_t part_size = 50'000;
    static constexpr std::size_t parts = 500;
    std::atomic<int> waits = 0;
    app_.on("/x", waits, [](std::atomic<int>& waits, handler::request&, responder& to) -> task<void> {
        to.start({}, parts * part_size);
        for (std::size_t i = 0; i < parts; ++i) {
            const std::string part(part_size, static_cast<char>('a' + i % 26));
            while (!to.try_write(part)) {
                const std::uint64_t before = to.body_bytes();
                ++waits;
                co_await to.wait_for_room();
                EXPECT_EQ(to.body_bytes(), before);
            }
        }
        to.finish();
    });
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send(closing_get("/x")));
    ASSERT_TRUE(s.wait_until([&](auto&) { return waits > 0; }));
    const std::string got = c.receive_all();
    const std::string_view body = std::string_view(got).substr(got.find("\r\n\r\n") + 4);
    ASSERT_EQ(body.size(), parts * part_size);
    for (std::size_t i = 0; i < parts; ++i) {
        ASSERT_EQ(body[i * part_size], static_cast<char>('a' + i % 26)) << i;
        ASSERT_EQ(body[(i + 1) * part_size - 1], static_cast<char>('a' + i % 26)) << i;
    }
}

TEST_P(Exchange, wait_for_room_ends_when_the_client_disconnects) {
    std::atomic<int> state = 0;
    app_.on("/x", state, [](std::atomic<int>& state, handler::request&, responder& to) -> task<void> {
        const std::string part(100'000, 'x');
        to.start({}, std::nullopt);
        try {
            for (;;) {
                while (to.try_write(part)) {
                }
                state = 1;
                co_await to.wait_for_room();
            }
        } catch (const std::system_error&) {
            state = 2;
        } catch (const cancelled&) {
            state = 2;
        }
    });
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send(closing_get("/x")));
    ASSERT_TRUE(s.wait_until([&](auto&) { return state == 1; }));
    c.reset();
    EXPECT_TRUE(s.wait_until([&](auto&) { return state == 2; }));
}

TEST_P(Exchange, sends_the_reason_and_date_of_the_application) {
    set_view([](handler::request& from, responder& to) -> task<void> {
        http::fields fields;
        fields.add("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
        handler::response_head head;
        head.fields = &fields;
        head.has_date = true;
        head.reason = "bad\r\nX: y";
        EXPECT_THROW(to.respond(head, ""), response_error);
        EXPECT_THROW(to.start(head, 0), response_error);
        head.reason = "All Right";
        if (from.has_query) {
            to.start(head, 2);
            co_await to.write("ok");
            to.finish();
        } else {
            to.respond(head, "ok");
        }
    });
    for (const char* path : {"/x", "/x?start"}) {
        const std::string got = response_to(closing_get(path));
        EXPECT_TRUE(got.starts_with("HTTP/1.1 200 All Right\r\n")) << got;
        EXPECT_NE(got.find("\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), got.npos) << got;
        EXPECT_EQ(got.find("Date: "), got.rfind("Date: ")) << got;
    }
}

constexpr std::string_view early_hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";

void hint(responder& to) {
    http::fields fields;
    fields.add("Link", "</a.css>");
    to.inform(http::status::early_hints, fields);
}

TEST_P(Exchange, sends_interim_responses) {
    set_view([](handler::request&, responder& to) -> task<void> {
        for (const int code : {0, 100, 101, 200, 404})
            EXPECT_THROW(to.inform(static_cast<http::status>(code), {}), response_error) << code;
        hint(to);
        EXPECT_FALSE(to.has_started());
        to.inform(http::status::processing, {});
        to.respond({}, "ok");
        EXPECT_THROW(to.inform(http::status::early_hints, {}), response_error);
        co_return;
    });
    const std::string got = response_to(closing_get("/x"));
    EXPECT_TRUE(got.starts_with(std::string(early_hints) + "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n"))
        << got;
    EXPECT_TRUE(response_to(closing_get("/x", "1.0")).starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_P(Exchange, sends_an_interim_response_at_the_end_of_the_turn) {
    event go;
    app_.on("/x", go, [](event& go, handler::request&, responder& to) -> task<void> {
        hint(to);
        co_await go.wait();
        to.respond({}, "ok");
    });
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send(closing_get("/x")));
    EXPECT_EQ(c.receive_exactly(early_hints.size()), early_hints);
    s.call_on_loop([&](server&) { return go.set(), 0; });
    EXPECT_TRUE(c.receive_all().starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_P(Exchange, abort_keeps_an_interim_response) {
    app_.on("/abort", [](handler::request&, responder& to) -> task<void> {
        hint(to);
        to.start({}, std::nullopt);
        co_await to.write("discarded");
        to.abort_with(http::status::bad_gateway);
    });
    app_.on("/abort-at-once", [](handler::request&, responder& to) -> task<void> {
        hint(to);
        to.abort_with(http::status::bad_gateway);
        co_return;
    });
    app_.on("/abort-later", [](handler::request&, responder& to) -> task<void> {
        hint(to);
        co_await sleep(20ms);
        to.start({}, 9);
        co_await to.write("discarded");
        to.abort_with(http::status::bad_gateway);
    });
    app_.on("/throw", [](handler::request&, responder& to) -> task<void> {
        hint(to);
        throw std::runtime_error("secret");
        co_return;
    });
    for (const char* path : {"/abort", "/abort-at-once", "/abort-later", "/throw"}) {
        const std::string got = response_to(closing_get(path));
        EXPECT_TRUE(got.starts_with(std::string(early_hints) + "HTTP/1.1 50")) << path << ": " << got;
        EXPECT_EQ(got.find("200 OK"), got.npos) << got;
        EXPECT_EQ(got.find("discarded"), got.npos) << got;
    }
}

TEST_P(Exchange, sends_trailers_to_clients_that_accept_them) {
    set_view([](handler::request& from, responder& to) -> task<void> {
        std::optional<std::uint64_t> length;
        if (from.has_query) length = 2;
        http::fields trailers;
        EXPECT_THROW(to.finish_with(trailers), response_error);
        to.start({}, length);
        co_await to.write("ok");
        for (const char* name : {"Content-Length", "Host", "Authorization", "Set-Cookie", "Trailer", "TE"}) {
            http::fields forbidden;
            forbidden.add(name, "x");
            EXPECT_THROW(to.finish_with(forbidden), response_error) << name;
        }
        trailers.add("X-Sum", "42");
        to.finish_with(trailers);
        EXPECT_THROW(to.finish_with(trailers), response_error);
    });
    const auto get = [](std::string_view path, std::string_view version, std::string_view fields) {
        return "GET " + std::string(path) + " HTTP/" + std::string(version) +
               "\r\nHost: a\r\nConnection: close, TE\r\n" + std::string(fields) + "\r\n";
    };
    EXPECT_TRUE(
        response_to(get("/x", "1.1", "TE: gzip, Trailers\r\n")).ends_with("\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n"));
    EXPECT_TRUE(response_to(get("/x", "1.1", "TE: gzip\r\n")).ends_with("\r\n\r\n2\r\nok\r\n0\r\n\r\n"));
    EXPECT_TRUE(response_to(get("/x", "1.1", "")).ends_with("\r\n\r\n2\r\nok\r\n0\r\n\r\n"));
    EXPECT_TRUE(response_to(get("/x?length", "1.1", "TE: trailers\r\n")).ends_with("\r\n\r\nok"));
    EXPECT_TRUE(response_to(get("/x", "1.0", "TE: trailers\r\n")).ends_with("\r\n\r\nok"));
}

TEST_P(Exchange, has_the_local_address) {
    set_view([](handler::request& from, responder& to) -> task<void> {
        handler::connection_info& c = *from.connection;
        to.respond({}, std::string(c.local_address()) + " " + std::to_string(c.local_port()) +
                           (c.is_unix() ? " unix " : " ip ") + std::string(c.peer_address()));
        co_return;
    });
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send(closing_get("/x")));
    EXPECT_TRUE(c.receive_all().ends_with("\r\n\r\n127.0.0.1 " + std::to_string(s.port()) + " ip 127.0.0.1"));
    const std::string path = ::testing::TempDir() + "rondo-local-" + std::to_string(::getpid());
    s.call_on_loop([&](server& x) {
        x.accept_from(std::move(net::listen(net::bind_address::parse("unix:" + path))[0]));
        return 0;
    });
    client local(path);
    ASSERT_TRUE(local.connected());
    ASSERT_TRUE(local.send(closing_get("/x")));
    EXPECT_TRUE(local.receive_all().ends_with("\r\n\r\n" + path + " 0 unix unix"));
}

TEST_P(Exchange, a_request_timeout_of_zero_means_none) {
    limits_.request_timeout = 0ms;
    set_view([](handler::request& from, responder& to) -> task<void> {
        EXPECT_EQ(from.context->deadline, instant::max());
        const std::string body(co_await from.body->read());
        EXPECT_EQ(from.context->deadline, instant::max());
        co_await sleep(50ms);
        to.respond({}, body);
    });
    test_server s(app_, GetParam(), limits_);
    client c(s);
    ASSERT_TRUE(c.send(closing_post("/x", "Content-Length: 5\r\n")));
    std::this_thread::sleep_for(20ms);
    ASSERT_TRUE(c.send("hello"));
    EXPECT_TRUE(c.receive_all().ends_with("\r\n\r\nhello"));
    client without_body(s);
    ASSERT_TRUE(without_body.send(closing_get("/x")));
    EXPECT_TRUE(without_body.receive_all().starts_with("HTTP/1.1 200 "));
}

INSTANTIATE_TEST_SUITE_P(all, Exchange, ::testing::Values(backend_kind::epoll, backend_kind::io_uring),
                         [](const auto& info) { return info.param == backend_kind::epoll ? "epoll" : "io_uring"; });

}  // namespace
}  // namespace rondo::server
