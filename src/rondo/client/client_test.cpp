// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <rondo/client/client.hpp>
#include <rondo/client/upstream_fixture.hpp>
#include <rondo/coro/blocking_guard.hpp>
#include <rondo/coro/blocking_wait.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/loop/backends_fixture.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;
using testing::ok_text;
using testing::upstream;

class ClientCalls : public ::testing::TestWithParam<backend_kind> {
public:
    ClientCalls() : loop_(std::in_place, loop_options{GetParam()}) {}

protected:
    event_loop& loop() { return *loop_; }
    template <class T>
    T run(task<T> t) {
        return loop_->run_until(std::move(t));
    }
    client_response get(const std::string& url) { return run(http_.get(url)); }
    // Why a call failed; nothing when it succeeded.
    std::optional<client_failure> failure_of(client_request request) {
        try {
            (void)run(http_.send(std::move(request)));
        } catch (const client_error& e) {
            error_message_ = e.what();
            return e.kind();
        }
        return std::nullopt;
    }
    std::optional<client_failure> failure_of(const std::string& url) { return failure_of(client_request("GET", url)); }

    std::optional<event_loop> loop_;
    client http_;
    std::string error_message_;
};

INSTANTIATE_TEST_SUITE_P(backends, ClientCalls, ::testing::ValuesIn(testing::available_backends()),
                         testing::backend_name);

// Sends the same response to each request on a connection.
upstream::script respond_with(std::string response) {
    return upstream::script_with(std::move(response), [](const std::string& text, upstream::peer& p) -> task<void> {
        for (;;) {
            const std::string head = co_await p.read_head();
            if (!head.ends_with("\r\n\r\n")) co_return;
            p.send(text);
        }
    });
}

// Sends one response, then closes.
upstream::script respond_once(std::string response) {
    return upstream::script_with(std::move(response), [](const std::string& text, upstream::peer& p) -> task<void> {
        (void)co_await p.read_head();
        p.send(text);
    });
}

TEST_P(ClientCalls, get_returns_status_fields_and_body) {
    upstream up(loop(), respond_with(ok_text("hello", "X-Tag: a\r\nX-Tag: b\r\n")));
    const client_response r = get(up.url("/a?b=c"));
    EXPECT_EQ(r.code(), 200);
    EXPECT_TRUE(r.ok());
    EXPECT_EQ(r.body(), "hello");
    EXPECT_EQ(r.field("x-tag"), "a");
    EXPECT_EQ(r.fields().count("X-Tag"), 2u);
    EXPECT_EQ(r.length(), 5u);
    EXPECT_EQ(r.url(), up.url("/a?b=c"));
}

TEST_P(ClientCalls, sends_a_plain_request) {
    std::string seen;
    upstream up(loop(), upstream::script_with(&seen, [](std::string* const& text, upstream::peer& p) -> task<void> {
                    *text = co_await p.read_head();
                    *text += co_await p.receive_exactly(4);
                    p.send(ok_text(""));
                }));
    (void)run(http_.send(client_request("POST", up.url("/x")).field("Accept", "a/b").body("body", "text/plain")));
    const std::string host = up.url("").substr(7);
    EXPECT_EQ(seen, "POST /x HTTP/1.1\r\nHost: " + host +
                        "\r\nContent-Length: 4\r\nAccept: a/b\r\nContent-Type: text/plain\r\nUser-Agent: rondo\r\n"
                        "Accept-Encoding: gzip, br, zstd\r\n\r\n"
                        "body");
}

TEST_P(ClientCalls, reuses_a_connection) {
    upstream up(loop(), respond_with(ok_text("x")));
    for (int i = 0; i < 5; ++i) EXPECT_EQ(get(up.url()).body(), "x");
    EXPECT_EQ(up.accepted_count(), 1u);
    EXPECT_EQ(http_.connections().open, 1u);
    EXPECT_EQ(http_.connections().idle, 1u);
}

TEST_P(ClientCalls, reads_every_body_framing) {
    const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    const std::string until_close = "HTTP/1.1 200 OK\r\n\r\nabcde";
    const std::string http_1_0 = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nabcde";
    for (const std::string& answer : {chunked, until_close, http_1_0}) {
        upstream up(loop(), respond_once(answer));
        EXPECT_EQ(get(up.url()).body(), "abcde") << answer;
    }
}

TEST_P(ClientCalls, reuses_the_connection_after_a_response_without_a_body) {
    upstream none(loop(), respond_with("HTTP/1.1 204 No Content\r\n\r\n"));
    EXPECT_EQ(get(none.url()).code(), 204);
    EXPECT_EQ(get(none.url()).code(), 204);
    EXPECT_EQ(none.accepted_count(), 1u);
    upstream up(loop(), respond_with("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"));
    for (int i = 0; i < 2; ++i) {
        const client_response r = run(http_.head(up.url()));
        EXPECT_EQ(r.body(), "");
        EXPECT_EQ(r.length(), 7u);
    }
    EXPECT_EQ(up.accepted_count(), 1u);
}

TEST_P(ClientCalls, skips_interim_responses) {
    upstream up(loop(), respond_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" +
                                     ok_text("y")));
    EXPECT_EQ(get(up.url()).body(), "y");
}

TEST_P(ClientCalls, limits_interim_responses) {
    const auto with = [](int count) {
        std::string text;
        for (int i = 0; i < count; ++i) text += "HTTP/1.1 102 Processing\r\n\r\n";
        return text + ok_text("y");
    };
    upstream at_limit(loop(), respond_with(with(100)));
    EXPECT_EQ(get(at_limit.url()).body(), "y");
    upstream over_limit(loop(), respond_with(with(101)));
    EXPECT_EQ(failure_of(over_limit.url()), client_failure::protocol);
}

// Sends the response in two pieces, split after each byte in turn.
auto split_at_every_byte(const std::string& response) {
    return upstream::script_with(response, [](const std::string& text, upstream::peer& p) -> task<void> {
        for (std::size_t cut = 1; cut < text.size(); ++cut) {
            (void)co_await p.read_head();
            p.send(text.substr(0, cut));
            co_await event_loop::current().sleep(1ms);
            p.send(text.substr(cut));
        }
    });
}

// RFC 9112 sections 5.1 and 5.2.
TEST_P(ClientCalls, accepts_obsolete_line_folding_and_space_before_the_colon) {
    for (const std::string lines :
         {"X-A: b\r\n c\r\n", "X-A : b   c\r\n", "X-A \t: b\r\n  c\r\n", "X-A:\r\n\tb   c\r\n"}) {
        const std::string answer = "HTTP/1.1 200 OK\r\n" + lines + "Content-Length : 2\r\n\r\nok";
        upstream up(loop(), split_at_every_byte(answer));
        for (std::size_t cut = 1; cut < answer.size(); ++cut) {
            const client_response r = get(up.url());
            ASSERT_EQ(r.body(), "ok") << lines << cut;
            const std::string_view value = r.fields().find("X-A").value_or("");
            ASSERT_TRUE(value.starts_with("b") && value.ends_with("c")) << value;
            ASSERT_EQ(value.find_first_of("\r\n"), std::string_view::npos);
        }
        EXPECT_EQ(up.accepted_count(), 1u);
    }
    for (const std::string bad :
         {" folded: at once\r\n", "X A: b\r\n", "Content-Length: 1\r\n 2\r\n", "Content-Length : 2\r\n"}) {
        upstream up(loop(), respond_once("HTTP/1.1 200 OK\r\n" + bad + "Content-Length: 1\r\n\r\nabc"));
        EXPECT_EQ(failure_of(up.url()), client_failure::protocol) << bad;
    }
    upstream padded(loop(),
                    respond_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2  \r\nok\r\n0\t\r\n\r\n"));
    EXPECT_EQ(get(padded.url()).body(), "ok");
}

TEST_P(ClientCalls, unfolds_framing_fields) {
    const std::string chunks = "\r\n2\r\nok\r\n0\r\n\r\n";
    for (const std::string& rest :
         {std::string("Content-Length:\r\n 2\r\n\r\nok"), std::string("Content-Length: 2\r\n \r\n\r\nok"),
          "Transfer-Encoding:\r\n chunked\r\n" + chunks, "Transfer-Encoding :\r\n\tchunked\r\n" + chunks}) {
        const std::string answer = "HTTP/1.1 200 OK\r\n" + rest;
        upstream up(loop(), split_at_every_byte(answer));
        for (std::size_t cut = 1; cut < answer.size(); ++cut) ASSERT_EQ(get(up.url()).body(), "ok") << rest << cut;
    }
    for (const std::string bad : {"Transfer-Encoding:\r\n", "Transfer-Encoding: gzip,\r\n chunked\r\n",
                                  "Content-Length:\r\n 2\r\nTransfer-Encoding:\r\n chunked\r\n"}) {
        upstream up(loop(), respond_once(std::string("HTTP/1.1 200 OK\r\n").append(bad).append(chunks)));
        EXPECT_EQ(failure_of(up.url()), client_failure::protocol) << bad;
    }
}

TEST_P(ClientCalls, accepts_obsolete_syntax_in_trailers) {
    upstream up(loop(), respond_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
                                     "X-A : 1\r\nX-B: 2\r\n 3\r\n\r\n"));
    for (int i = 0; i < 2; ++i) {
        const client_response r = get(up.url());
        EXPECT_EQ(r.body(), "ok");
        ASSERT_NE(r.trailers(), nullptr);
        EXPECT_EQ(r.trailers()->wire(), "X-A: 1\r\nX-B: 2   3\r\n");
    }
    EXPECT_EQ(up.accepted_count(), 1u);
}

TEST_P(ClientCalls, parses_a_head_split_at_every_byte) {
    const std::string answer = ok_text("abc", "A: b\r\n");
    upstream up(loop(), upstream::script_with(answer, [](const std::string& text, upstream::peer& p) -> task<void> {
                    for (std::size_t cut = 1; cut < text.size(); ++cut) {
                        (void)co_await p.read_head();
                        p.send(text.substr(0, cut));
                        co_await event_loop::current().sleep(1ms);
                        p.send(text.substr(cut));
                    }
                }));
    for (std::size_t cut = 1; cut < answer.size(); ++cut) ASSERT_EQ(get(up.url()).body(), "abc") << cut;
    EXPECT_EQ(up.accepted_count(), 1u);
}

TEST_P(ClientCalls, rejects_invalid_responses) {
    for (const std::string answer :
         {"SSH-2.0-x\r\n", "HTTP/1.1 200 OK\nA: b\n\n", "HTTP/1.1 20 OK\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n"}) {
        upstream up(loop(), respond_once(answer));
        EXPECT_EQ(failure_of(up.url()), client_failure::protocol) << answer;
        EXPECT_TRUE(error_message_.starts_with("GET " + up.url() + ": ")) << error_message_;
        EXPECT_EQ(http_.connections().open, 0u);
    }
}

TEST_P(ClientCalls, detects_a_truncated_response) {
    for (const std::string answer : {"", "HTTP/1.1 200 OK\r\nConte", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
                                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"}) {
        upstream up(loop(), respond_once(answer));
        EXPECT_EQ(failure_of(up.url()), client_failure::closed) << answer;
        EXPECT_EQ(up.accepted_count(), 1u);
    }
}

TEST_P(ClientCalls, errors_have_a_kind) {
    EXPECT_EQ(failure_of("ftp://x/"), client_failure::url);
    EXPECT_EQ(failure_of("http:///x"), client_failure::url);
    std::string closed_url;
    {
        upstream up(loop(), respond_with(""));
        closed_url = up.url();
    }
    EXPECT_EQ(failure_of(closed_url), client_failure::connect);
    EXPECT_NE(error_message_.find("refused"), std::string::npos) << error_message_;
    EXPECT_EQ(failure_of("http://name.invalid/"), client_failure::resolve);
}

TEST_P(ClientCalls, limits_the_body_size) {
    upstream with_length(loop(), respond_once(ok_text(std::string(1000, 'x'))));
    EXPECT_EQ(failure_of(client_request("GET", with_length.url()).max_body(999)), client_failure::body_too_large);
    upstream chunked(loop(), respond_once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n"));
    EXPECT_EQ(failure_of(client_request("GET", chunked.url())), client_failure::body_too_large);
    upstream open_end(loop(), respond_once("HTTP/1.1 200 OK\r\n\r\n" + std::string(1001, 'x')));
    EXPECT_EQ(failure_of(client_request("GET", open_end.url()).max_body(1000)), client_failure::body_too_large);
    upstream exact(loop(), respond_once(ok_text(std::string(1000, 'x'))));
    EXPECT_EQ(failure_of(client_request("GET", exact.url()).max_body(1000)), std::nullopt);
}

upstream::script silent_server() {
    return [](upstream::peer& p) -> task<void> {
        (void)co_await p.read_head();
        co_await p.wait_closed();
    };
}

TEST_P(ClientCalls, times_out_on_a_silent_server) {
    upstream up(loop(), silent_server());
    EXPECT_EQ(failure_of(client_request("GET", up.url()).timeouts({.read = 20ms})), client_failure::timeout);
    EXPECT_NE(error_message_.find("nothing for 20 ms"), std::string::npos) << error_message_;
    EXPECT_EQ(failure_of(client_request("GET", up.url()).timeouts({.total = 20ms})), client_failure::timeout);
    EXPECT_EQ(http_.connections().open, 0u);
    run([](event_loop& l, upstream& u) -> task<void> {
        while (u.open_count() > 0) co_await l.sleep(1ms);
    }(loop(), up));
}

TEST_P(ClientCalls, respects_the_deadline_of_the_caller) {
    upstream up(loop(), silent_server());
    task_context caller;
    caller.deadline = from_now(20ms);
    try {
        (void)loop().run_until(http_.get(up.url()), &caller);
        FAIL();
    } catch (const client_error& e) {
        EXPECT_EQ(e.kind(), client_failure::timeout);
    }
    EXPECT_EQ(http_.connections().open, 0u);
}

TEST_P(ClientCalls, cancelling_closes_the_connection) {
    upstream up(loop(), silent_server());
    run([](client& http, upstream& u, event_loop& l) -> task<void> {
        bool late = false;
        try {
            (void)co_await with_timeout(20ms, http.get(u.url()));
        } catch (const timed_out&) {
            late = true;
        }
        EXPECT_TRUE(late);
        EXPECT_EQ(http.connections().open, 0u);
        while (u.open_count() > 0) co_await l.sleep(1ms);
    }(http_, up, loop()));
}

TEST_P(ClientCalls, retries_a_get_when_the_reused_connection_was_closed) {
    // Closes after the first response, when the second request arrives.
    upstream up(loop(), [](upstream::peer& p) -> task<void> {
        (void)co_await p.read_head();
        p.send(ok_text("1"));
        (void)co_await p.read_head();
    });
    EXPECT_EQ(get(up.url()).body(), "1");
    EXPECT_EQ(get(up.url()).body(), "1");
    EXPECT_EQ(up.accepted_count(), 2u);
    EXPECT_EQ(failure_of(client_request("POST", up.url()).body("x")), client_failure::closed);
    EXPECT_EQ(up.accepted_count(), 2u);
}

TEST_P(ClientCalls, closes_a_connection_after_the_idle_timeout) {
    client_options few;
    few.idle_timeout = 10ms;
    client short_lived(few);
    upstream up(loop(), respond_with(ok_text("x")));
    run([](client& http, upstream& u, event_loop& l) -> task<void> {
        (void)co_await http.get(u.url());
        EXPECT_EQ(http.connections().open, 1u);
        while (u.open_count() > 0) co_await l.sleep(1ms);
        EXPECT_EQ(http.connections().open, 0u);
    }(short_lived, up, loop()));
}

TEST_P(ClientCalls, notices_that_the_server_closed_an_idle_connection) {
    upstream up(loop(), respond_once(ok_text("x")));
    run([](client& http, upstream& u, event_loop& l) -> task<void> {
        (void)co_await http.get(u.url());
        while (http.connections().open > 0) co_await l.sleep(1ms);
    }(http_, up, loop()));
}

struct request_log {
    std::size_t concurrent = 0;
    std::size_t max_concurrent = 0;
    std::vector<std::string> order;
};

upstream::script counting_server(request_log& c) {
    return upstream::script_with(&c, [](request_log* const& count, upstream::peer& p) -> task<void> {
        for (;;) {
            const std::string head = co_await p.read_head();
            if (!head.ends_with("\r\n\r\n")) co_return;
            count->order.push_back(head.substr(4, head.find(' ', 4) - 4));
            count->max_concurrent = std::max(count->max_concurrent, ++count->concurrent);
            co_await event_loop::current().sleep(2ms);
            --count->concurrent;
            p.send(ok_text("x"));
        }
    });
}

TEST_P(ClientCalls, calls_beyond_the_limit_wait_in_order) {
    request_log c;
    upstream up(loop(), counting_server(c));
    client_options few;
    few.max_connections_per_origin = 3;
    client limited(few);
    run([](client& http, upstream& u) -> task<void> {
        std::vector<task<client_response>> calls;
        for (int i = 0; i < 20; ++i) calls.push_back(http.get(u.url("/" + std::to_string(i))));
        const auto all = co_await when_all(std::move(calls));
        for (const client_response& r : all) EXPECT_EQ(r.body(), "x");
    }(limited, up));
    EXPECT_EQ(c.max_concurrent, 3u);
    EXPECT_EQ(up.accepted_count(), 3u);
    ASSERT_EQ(c.order.size(), 20u);
    for (std::size_t i = 3; i < 20; ++i) EXPECT_NEAR(std::stod(c.order[i].substr(1)), static_cast<double>(i), 3);
    EXPECT_EQ(limited.connections().waiting, 0u);
}

TEST_P(ClientCalls, the_queue_is_limited_and_times_out) {
    upstream up(loop(), silent_server());
    client_options few;
    few.max_connections_per_origin = 1;
    few.max_waiting = 1;
    few.timeouts.pool = 20ms;
    client limited(few);
    run([](client& http, upstream& u) -> task<void> {
        auto failure = [](client& h, std::string url) -> task<client_failure> {
            client_failure kind{};
            try {
                (void)co_await h.send(client_request("GET", std::move(url)).timeouts({.pool = 20ms, .read = 200ms}));
            } catch (const client_error& e) {
                kind = e.kind();
            }
            co_return kind;
        };
        auto [first, second, third] =
            co_await when_all(failure(http, u.url()), failure(http, u.url()), failure(http, u.url()));
        EXPECT_EQ(first, client_failure::timeout);
        EXPECT_EQ(second, client_failure::timeout);
        EXPECT_EQ(third, client_failure::busy);
    }(limited, up));
    EXPECT_EQ(up.accepted_count(), 1u);
    EXPECT_EQ(limited.connections().open, 0u);
    EXPECT_EQ(limited.connections().waiting, 0u);
}

TEST_P(ClientCalls, closes_an_idle_connection_to_make_room_for_another_origin) {
    upstream one(loop(), respond_with(ok_text("1")));
    upstream two(loop(), respond_with(ok_text("2")));
    client_options few;
    few.max_connections = 1;
    client limited(few);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(run(limited.get(one.url())).body(), "1");
        EXPECT_EQ(run(limited.get(two.url())).body(), "2");
        EXPECT_EQ(limited.connections().open, 1u);
    }
}

TEST_P(ClientCalls, reads_a_body_piece_by_piece) {
    upstream up(loop(), [](upstream::peer& p) -> task<void> {
        (void)co_await p.read_head();
        p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n3\r\nabc\r\n");
        co_await event_loop::current().sleep(5ms);
        p.send("3\r\ndef\r\n0\r\nX-Sum: 6\r\n\r\n");
        co_await p.wait_closed();
    });
    run([](client& http, upstream& u) -> task<void> {
        client_response r = co_await http.open(client_request("GET", u.url()));
        EXPECT_EQ(r.code(), 200);
        std::vector<std::string> pieces;
        for (;;) {
            const std::string_view piece = co_await r.read();
            if (piece.empty()) break;
            pieces.emplace_back(piece);
        }
        EXPECT_EQ(pieces, (std::vector<std::string>{"abc", "def"}));
        EXPECT_EQ(http.connections().idle, 1u);
        EXPECT_EQ(r.trailers() ? r.trailers()->find("x-sum") : std::nullopt, "6");
    }(http_, up));
}

TEST_P(ClientCalls, dropping_a_response_closes_its_connection) {
    upstream up(loop(), respond_once("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc"));
    run([](client& http, upstream& u) -> task<void> {
        {
            const client_response r = co_await http.open(client_request("GET", u.url()));
        }
        EXPECT_EQ(http.connections().open, 0u);
    }(http_, up));
}

TEST_P(ClientCalls, connects_to_a_unix_socket) {
    const std::string path = ::testing::TempDir() + "client_test_" + std::to_string(::getpid());
    upstream up(loop(), respond_with(ok_text("u")), "unix:" + path);
    std::string escaped;
    for (const char c : path) escaped += c == '/' ? std::string("%2F") : std::string(1, c);
    EXPECT_EQ(get("http+unix://" + escaped + "/x").body(), "u");
    ::unlink(path.c_str());
}

TEST_P(ClientCalls, a_loop_may_end_before_the_client) {
    {
        upstream up(loop(), respond_with(ok_text("x")));
        (void)get(up.url());
    }
    loop_.reset();
    loop_.emplace(loop_options{GetParam()});
    upstream up(loop(), respond_with(ok_text("y")));
    EXPECT_EQ(get(up.url()).body(), "y");
}

TEST_P(ClientCalls, the_client_may_end_before_the_loop) {
    upstream up(loop(), respond_with(ok_text("x")));
    run([](upstream& u) -> task<void> {
        client local;
        (void)co_await local.get(u.url());
    }(up));
    run([](event_loop& l, upstream& u) -> task<void> {
        while (u.open_count() > 0) co_await l.sleep(1ms);
    }(loop(), up));
}

TEST_P(ClientCalls, get_sync_works_without_a_loop_and_throws_on_one) {
    upstream up(loop(), respond_with(ok_text("x")));
    std::string body;
    event done;
    std::thread caller([&, url = up.url()] {
        for (int i = 0; i < 3; ++i) body += http_.get_sync(url).body();
        loop().post([&] { done.set(); });
    });
    run([](event& e) -> task<void> { co_await e.wait(); }(done));
    caller.join();
    EXPECT_EQ(body, "xxx");
    EXPECT_EQ(up.accepted_count(), 1u);
    run([](client& http, std::string url) -> task<void> {
        EXPECT_THROW((void)http.get_sync(url), synchronous_only);
        co_return;
    }(http_, up.url()));
    std::exception_ptr failure;
    std::thread([&] {
        try {
            (void)http_.get_sync("http://127.0.0.1:1/");
        } catch (...) {
            failure = std::current_exception();
        }
    }).join();
    EXPECT_THROW(std::rethrow_exception(failure), client_error);
}

TEST_P(ClientCalls, a_forked_process_opens_new_connections) {
    upstream up(loop(), respond_with(ok_text("x")));
    std::atomic<bool> done{false};
    int status = -1;
    std::thread caller([&, url = up.url()] {
        EXPECT_EQ(http_.get_sync(url).body(), "x");
        const pid_t child = ::fork();
        if (child == 0) {
            ::alarm(30);
            ::_exit(http_.get_sync(url).body() == "x" ? 0 : 1);
        }
        ::waitpid(child, &status, 0);
        EXPECT_EQ(http_.get_sync(url).body(), "x");
        done = true;
    });
    run([](event_loop& l, std::atomic<bool>& end) -> task<void> {
        while (!end) co_await l.sleep(1ms);
    }(loop(), done));
    caller.join();
    EXPECT_EQ(status, 0);
    EXPECT_EQ(up.accepted_count(), 2u);
}

// How a blocking call ends in a sync view that handles the request of `caller`.
std::optional<cancel_reason> sync_call_outcome(client& http, const std::string& url, task_context& caller) {
    const blocking_scope view(&caller);
    try {
        (void)http.get_sync(url);
    } catch (const cancelled& c) {
        return c.reason;
    } catch (const client_error& e) {
        if (e.kind() == client_failure::timeout) return cancel_reason::deadline;
    }
    return std::nullopt;
}

TEST_P(ClientCalls, get_sync_ends_with_the_request_of_its_view) {
    upstream up(loop(), [](upstream::peer& p) -> task<void> { co_await p.wait_closed(); });  // never responds
    for (const bool by_deadline : {false, true}) {
        task_context caller;
        if (by_deadline) caller.deadline = from_now(50ms);
        std::optional<cancel_reason> reason;
        std::atomic<bool> done{false};
        std::thread view([&] {
            reason = sync_call_outcome(http_, up.url(), caller);
            done = true;
        });
        run([](event_loop& l, upstream& u, task_context& c, bool disconnect, std::atomic<bool>& end) -> task<void> {
            while (disconnect && u.open_count() == 0) co_await l.sleep(1ms);
            if (disconnect) c.cancel.cancel(cancel_reason::disconnected);
            while (!end || u.open_count() > 0) co_await l.sleep(1ms);  // the call's connection is closed
        }(loop(), up, caller, !by_deadline, done));
        view.join();
        EXPECT_EQ(reason, by_deadline ? cancel_reason::deadline : cancel_reason::disconnected);
    }
}

}  // namespace
}  // namespace rondo
