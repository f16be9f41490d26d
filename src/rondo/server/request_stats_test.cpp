// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include <time.h>

#include <rondo/loop/loop.hpp>
#include <rondo/server/scripted_application_fixture.hpp>
#include <rondo/server/server_fixture.hpp>

namespace rondo::server {
namespace {

using namespace std::chrono_literals;
using stats::request_state;
using testing::client;
using testing::get;
using testing::scripted_application;
using testing::test_server;

std::chrono::nanoseconds thread_cpu_time() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

// Uses this much CPU time, however busy the machine is.
void use_cpu_for(std::chrono::milliseconds time) {
    for (const auto end = thread_cpu_time() + time; thread_cpu_time() < end;) {
    }
}

class RequestCounter : public ::testing::TestWithParam<backend_kind> {
protected:
    RequestCounter() {
        app_.on("/hang", [](handler::request&, handler::responder&) -> task<void> { co_await sleep(60s); });
        app_.on("/ticks", [](handler::request&, handler::responder& to) -> task<void> {
            to.start({}, std::nullopt);
            for (;;) {
                co_await to.write("tick\n");
                co_await sleep(5ms);
            }
        });
        app_.on("/breaks-off", [](handler::request&, handler::responder& to) -> task<void> {
            to.start({}, 100);
            co_await to.write("some");
            throw std::runtime_error("no more");
        });
        app_.on("/nap", [](handler::request&, handler::responder& to) -> task<void> {
            use_cpu_for(10ms);
            co_await sleep(20ms);
            use_cpu_for(15ms);
            to.respond({}, "done");
        });
        app_.on("/stall", [](handler::request&, handler::responder& to) -> task<void> {
            use_cpu_for(80ms);
            to.respond({}, "sorry");
            co_return;
        });
        app_.on("/flood", [](handler::request&, handler::responder& to) -> task<void> {
            const std::string part(1 << 16, 'x');
            to.start({}, std::nullopt);
            for (int i = 0; i < 1000; ++i) co_await to.write(part);
            to.finish();
        });
    }

    struct view_counts {
        stats::outcomes<std::uint64_t> by_class{};
        std::uint64_t timed = 0;  // requests with a latency
        std::uint64_t stalls = 0;
        std::int64_t wall_ns = 0, loop_ns = 0, measured_ns = 0, cpu_ns = 0;
    };
    static view_counts read_counts(server& s, std::uint16_t row) {
        const auto& v = s.server_stats().views[row];
        view_counts f;
        for (std::size_t i = 0; i < f.by_class.size(); ++i) f.by_class[i] = v.by_class[i];
        for (const auto& n : v.latency) f.timed += n;
        f.stalls = v.stalls;
        f.wall_ns = v.wall_ns;
        f.loop_ns = v.loop_ns;
        f.measured_ns = v.measured_ns;
        f.cpu_ns = v.cpu_ns;
        return f;
    }
    view_counts counts_of(test_server& s, const std::string& path) {
        return s.call_on_loop([row = app_.stats_row(path)](server& x) { return read_counts(x, row); });
    }
    // The states of the suspended requests.
    static std::vector<stats::request_state> request_states(server& s) {
        std::vector<stats::request_state> states;
        const auto& counted = s.server_stats();
        for (std::size_t i = 0; i < counted.rows_used; ++i)
            if (counted.running[i].state != stats::request_state::none) states.push_back(counted.running[i].state);
        return states;
    }
    static bool has_one_request_in(server& s, stats::request_state where) {
        return request_states(s) == std::vector{where};
    }

    scripted_application app_;
};

TEST_P(RequestCounter, counts_requests_by_view_and_status_class) {
    test_server s(app_, GetParam());
    client c(s);
    std::string many;
    for (int i = 0; i < 100; ++i) many += get("/");
    ASSERT_TRUE(c.send(many));
    for (int i = 0; i < 100; ++i) ASSERT_FALSE(c.response().empty());
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(c.send(get("/nowhere")));
        ASSERT_FALSE(c.response().empty());
    }
    const view_counts root = counts_of(s, "/");
    EXPECT_EQ(root.by_class, (stats::outcomes<std::uint64_t>{0, 0, 100, 0, 0, 0, 0}));
    EXPECT_EQ(root.timed, 100u);
    EXPECT_GT(root.wall_ns, 0);
    EXPECT_GT(root.loop_ns, 0);
    const view_counts without_view = s.call_on_loop([](server& x) { return read_counts(x, 0); });
    EXPECT_EQ(without_view.by_class[4], 5u);
    EXPECT_EQ(without_view.timed, 5u);
    EXPECT_EQ(s.call_on_loop([](server& x) { return x.server_stats().waiting.load(); }), 0u);
}

TEST_P(RequestCounter, adds_up_the_loop_time_of_a_suspended_request) {
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send(get("/nap")));
    EXPECT_TRUE(c.response().ends_with("done"));
    const view_counts nap = counts_of(s, "/nap");
    EXPECT_EQ(nap.by_class[2], 1u);
    EXPECT_EQ(nap.timed, 1u);
    EXPECT_GE(nap.loop_ns, 25'000'000);
    EXPECT_GE(nap.wall_ns, 45'000'000);
    EXPECT_LE(nap.loop_ns, nap.wall_ns);
    EXPECT_TRUE(s.wait_until([](server& x) { return request_states(x).empty() && x.server_stats().waiting == 0; }));
}

TEST_P(RequestCounter, does_not_count_a_disconnect_as_failure) {
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send(get("/hang")));
    EXPECT_TRUE(s.wait_until([](server& x) { return has_one_request_in(x, stats::request_state::loop); }));
    EXPECT_EQ(s.call_on_loop([](server& x) { return x.server_stats().waiting.load(); }), 1u);
    c.reset();
    EXPECT_TRUE(s.wait_until([](server& x) { return request_states(x).empty() && x.server_stats().in_flight == 0; }));
    EXPECT_EQ(counts_of(s, "/hang").by_class, (stats::outcomes<std::uint64_t>{0, 0, 0, 0, 0, 0, 1}));
    EXPECT_EQ(s.call_on_loop([](server& x) { return x.server_stats().client_closed.load(); }), 1u);
    EXPECT_EQ(s.call_on_loop([](server& x) { return x.server_stats().aborted.load(); }), 0u);
}

// A browser that closes a page closes the connection cleanly; an endless stream never ends in another way.
TEST_P(RequestCounter, does_not_count_a_disconnect_from_an_endless_stream_as_failure) {
    test_server s(app_, GetParam());
    for (const bool resets : {false, true}) {
        client c(s);
        ASSERT_TRUE(c.send(get("/ticks")));
        EXPECT_TRUE(s.wait_until([](server& x) { return has_one_request_in(x, stats::request_state::loop); }));
        if (resets) c.reset();
        else c.close();
        EXPECT_TRUE(
            s.wait_until([](server& x) { return request_states(x).empty() && x.server_stats().in_flight == 0; }));
    }
    EXPECT_EQ(counts_of(s, "/ticks").by_class, (stats::outcomes<std::uint64_t>{0, 0, 0, 0, 0, 0, 2}));
    EXPECT_EQ(s.call_on_loop([](server& x) { return x.server_stats().client_closed.load(); }), 2u);
}

TEST_P(RequestCounter, counts_a_response_aborted_by_the_application_as_failure) {
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send(get("/breaks-off")));
    EXPECT_TRUE(s.wait_until([](server& x) { return x.server_stats().aborted == 1; }));
    EXPECT_EQ(counts_of(s, "/breaks-off").by_class, (stats::outcomes<std::uint64_t>{1, 0, 0, 0, 0, 0, 0}));
    EXPECT_EQ(s.call_on_loop([](server& x) { return x.server_stats().client_closed.load(); }), 0u);
}

TEST_P(RequestCounter, counts_a_client_that_does_not_read_as_failure) {
    options limits;
    limits.write_timeout = 100ms;
    test_server s(app_, GetParam(), limits);
    client reads_not(s);
    ASSERT_TRUE(reads_not.send(get("/flood")));
    EXPECT_TRUE(s.wait_until([](server& x) { return x.server_stats().aborted == 1; }));
    EXPECT_EQ(counts_of(s, "/flood").by_class[stats::outcome_aborted], 1u);
}

TEST_P(RequestCounter, shows_requests_that_receive_a_body_or_send_a_response) {
    test_server s(app_, GetParam());
    client uploads(s);
    ASSERT_TRUE(uploads.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe"));
    EXPECT_TRUE(s.wait_until([](server& x) { return has_one_request_in(x, stats::request_state::reading_body); }));
    ASSERT_TRUE(uploads.send("llo"));
    EXPECT_TRUE(uploads.response().ends_with("hello"));
    client reads_not(s);
    ASSERT_TRUE(reads_not.send(get("/flood")));
    EXPECT_TRUE(s.wait_until([](server& x) { return has_one_request_in(x, stats::request_state::sending_response); }));
    reads_not.reset();
    EXPECT_TRUE(s.wait_until([](server& x) { return request_states(x).empty(); }));
}

TEST_P(RequestCounter, frees_the_row_of_a_request_with_an_unread_body) {
    test_server s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"));
    EXPECT_TRUE(c.response().ends_with("ok\n"));
    ASSERT_TRUE(c.send(std::string(100000, 'x') + get("/")));
    EXPECT_TRUE(c.response().ends_with("ok\n"));
    EXPECT_TRUE(s.wait_until([](server& x) { return request_states(x).empty() && x.server_stats().waiting == 0; }));
    EXPECT_EQ(counts_of(s, "/").by_class[2], 2u);
}

TEST_P(RequestCounter, counts_stalls_of_the_loop) {
    test_server s(app_, GetParam());
    client c(s);
    for (int i = 0; i < 2; ++i) {
        ASSERT_TRUE(c.send(get("/stall")));
        ASSERT_FALSE(c.response().empty());
    }
    const view_counts stall = counts_of(s, "/stall");
    EXPECT_EQ(stall.stalls, 2u);
    EXPECT_GE(stall.loop_ns, 160'000'000);
    // The second request follows a long turn, so its CPU time was measured.
    EXPECT_GE(stall.measured_ns, 80'000'000);
    EXPECT_GT(stall.cpu_ns, 0);
    EXPECT_LE(stall.cpu_ns, stall.measured_ns);
}

TEST_P(RequestCounter, counts_connections_by_state) {
    test_server s(app_, GetParam());
    client idle(s), head(s), hanging(s), silent(s);
    ASSERT_TRUE(idle.send(get("/")));
    ASSERT_FALSE(idle.response().empty());
    ASSERT_TRUE(head.send("GET / HT"));
    ASSERT_TRUE(hanging.send(get("/hang")));
    const auto in = [](server& x, stats::connection_state state) {
        return x.server_stats().connections_by_state[static_cast<std::size_t>(state)].load();
    };
    EXPECT_TRUE(s.wait_until([&](server& x) {
        return in(x, stats::connection_state::idle) == 1 && in(x, stats::connection_state::head) == 2 &&
               in(x, stats::connection_state::serving) == 1;
    }));
    for (client* c : {&idle, &head, &hanging, &silent}) c->reset();
    EXPECT_TRUE(s.wait_until([&](server& x) {
        const auto& counts = x.server_stats().connections_by_state;
        return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}) == 0;
    }));
}

TEST(RequestSampling, counts_all_requests_and_times_a_sample) {
    scripted_application app;
    stats::worker_stats_memory memory;
    memory->on_worker_start(1);
    request_counter counter(*memory);
    counter.adapt_sampling(100'000, false);
    EXPECT_EQ(memory->sample_every, 16u);
    thread_activity doing;
    for (int i = 0; i < 1600; ++i) {
        handler::request r;
        r.view_row = 1;
        r.stats = &*memory;
        r.arrived = clock::now();
        counter.on_start();
        counter.on_end(r, request_counter::status_class(http::status::ok), doing);
    }
    const auto& v = memory->views[1];
    EXPECT_EQ(v.by_class[2], 1600u);
    EXPECT_EQ(std::accumulate(v.latency.begin(), v.latency.end(), std::uint64_t{0}), 1600u);
    EXPECT_GT(v.wall_ns, 0);
    for (int i = 0; i < 10'000; ++i) counter.on_start();
    counter.adapt_sampling(100'000, true);
    EXPECT_EQ(memory->sample_every, 1u) << "every request is timed while the loop stalls";
}

INSTANTIATE_TEST_SUITE_P(all, RequestCounter, ::testing::Values(backend_kind::epoll, backend_kind::io_uring),
                         [](const auto& info) { return info.param == backend_kind::epoll ? "epoll" : "io_uring"; });

}  // namespace
}  // namespace rondo::server
