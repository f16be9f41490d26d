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
using stats::place;
using testing::client;
using testing::get;
using testing::scripted;
using testing::served;

std::chrono::nanoseconds processor_time() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

// Uses this much CPU time, however busy the machine is.
void hold_for(std::chrono::milliseconds time) {
    for (const auto end = processor_time() + time; processor_time() < end;) {
    }
}

class counting : public ::testing::TestWithParam<backend_kind> {
protected:
    counting() {
        app_.on("/hang", [](handler::request&, handler::responder&) -> task<void> { co_await sleep(60s); });
        app_.on("/ticks", [](handler::request&, handler::responder& to) -> task<void> {
            to.begin({}, std::nullopt);
            for (;;) {
                co_await to.write("tick\n");
                co_await sleep(5ms);
            }
        });
        app_.on("/breaks-off", [](handler::request&, handler::responder& to) -> task<void> {
            to.begin({}, 100);
            co_await to.write("some");
            throw std::runtime_error("no more");
        });
        app_.on("/nap", [](handler::request&, handler::responder& to) -> task<void> {
            hold_for(10ms);
            co_await sleep(20ms);
            hold_for(15ms);
            to.respond({}, "done");
        });
        app_.on("/stall", [](handler::request&, handler::responder& to) -> task<void> {
            hold_for(80ms);
            to.respond({}, "sorry");
            co_return;
        });
        app_.on("/flood", [](handler::request&, handler::responder& to) -> task<void> {
            const std::string part(1 << 16, 'x');
            to.begin({}, std::nullopt);
            for (int i = 0; i < 1000; ++i) co_await to.write(part);
            to.finish();
        });
    }

    struct figures {
        stats::outcomes<std::uint64_t> by_class{};
        std::uint64_t timed = 0;  // requests with a latency
        std::uint64_t stalls = 0;
        std::int64_t wall_ns = 0, loop_ns = 0, measured_ns = 0, cpu_ns = 0;
    };
    static figures of(server& s, std::uint16_t row) {
        const auto& v = s.statistics().views[row];
        figures f;
        for (std::size_t i = 0; i < f.by_class.size(); ++i) f.by_class[i] = v.by_class[i];
        for (const auto& n : v.latency) f.timed += n;
        f.stalls = v.stalls;
        f.wall_ns = v.wall_ns;
        f.loop_ns = v.loop_ns;
        f.measured_ns = v.measured_ns;
        f.cpu_ns = v.cpu_ns;
        return f;
    }
    figures view(served& s, const std::string& path) {
        return s.ask([row = app_.row_of(path)](server& x) { return of(x, row); });
    }
    // The states of the suspended requests.
    static std::vector<stats::place> places(server& s) {
        std::vector<stats::place> all;
        const auto& figures = s.statistics();
        for (std::size_t i = 0; i < figures.rows_used; ++i)
            if (figures.running[i].where != stats::place::none) all.push_back(figures.running[i].where);
        return all;
    }
    static bool one_at(server& s, stats::place where) { return places(s) == std::vector{where}; }

    scripted app_;
};

TEST_P(counting, counts_requests_by_view_and_status_class) {
    served s(app_, GetParam());
    client c(s);
    std::string many;
    for (int i = 0; i < 100; ++i) many += get("/");
    ASSERT_TRUE(c.send(many));
    for (int i = 0; i < 100; ++i) ASSERT_FALSE(c.response().empty());
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(c.send(get("/nowhere")));
        ASSERT_FALSE(c.response().empty());
    }
    const figures root = view(s, "/");
    EXPECT_EQ(root.by_class, (stats::outcomes<std::uint64_t>{0, 0, 100, 0, 0, 0, 0}));
    EXPECT_EQ(root.timed, 100u);
    EXPECT_GT(root.wall_ns, 0);
    EXPECT_GT(root.loop_ns, 0);
    const figures without_view = s.ask([](server& x) { return of(x, 0); });
    EXPECT_EQ(without_view.by_class[4], 5u);
    EXPECT_EQ(without_view.timed, 5u);
    EXPECT_EQ(s.ask([](server& x) { return x.statistics().waiting.load(); }), 0u);
}

TEST_P(counting, adds_up_the_loop_time_of_a_suspended_request) {
    served s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send(get("/nap")));
    EXPECT_TRUE(c.response().ends_with("done"));
    const figures nap = view(s, "/nap");
    EXPECT_EQ(nap.by_class[2], 1u);
    EXPECT_EQ(nap.timed, 1u);
    EXPECT_GE(nap.loop_ns, 25'000'000);
    EXPECT_GE(nap.wall_ns, 45'000'000);
    EXPECT_LE(nap.loop_ns, nap.wall_ns);
    EXPECT_TRUE(s.until([](server& x) { return places(x).empty() && x.statistics().waiting == 0; }));
}

TEST_P(counting, does_not_count_a_disconnect_as_failure) {
    served s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send(get("/hang")));
    EXPECT_TRUE(s.until([](server& x) { return one_at(x, stats::place::loop); }));
    EXPECT_EQ(s.ask([](server& x) { return x.statistics().waiting.load(); }), 1u);
    c.reset();
    EXPECT_TRUE(s.until([](server& x) { return places(x).empty() && x.statistics().in_flight == 0; }));
    EXPECT_EQ(view(s, "/hang").by_class, (stats::outcomes<std::uint64_t>{0, 0, 0, 0, 0, 0, 1}));
    EXPECT_EQ(s.ask([](server& x) { return x.statistics().left.load(); }), 1u);
    EXPECT_EQ(s.ask([](server& x) { return x.statistics().aborted.load(); }), 0u);
}

// A browser that closes a page closes the connection cleanly; an endless stream never ends in another way.
TEST_P(counting, does_not_count_a_disconnect_from_an_endless_stream_as_failure) {
    served s(app_, GetParam());
    for (const bool resets : {false, true}) {
        client c(s);
        ASSERT_TRUE(c.send(get("/ticks")));
        EXPECT_TRUE(s.until([](server& x) { return one_at(x, stats::place::loop); }));
        if (resets) c.reset();
        else c.close();
        EXPECT_TRUE(s.until([](server& x) { return places(x).empty() && x.statistics().in_flight == 0; }));
    }
    EXPECT_EQ(view(s, "/ticks").by_class, (stats::outcomes<std::uint64_t>{0, 0, 0, 0, 0, 0, 2}));
    EXPECT_EQ(s.ask([](server& x) { return x.statistics().left.load(); }), 2u);
}

TEST_P(counting, counts_a_response_aborted_by_the_application_as_failure) {
    served s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send(get("/breaks-off")));
    EXPECT_TRUE(s.until([](server& x) { return x.statistics().aborted == 1; }));
    EXPECT_EQ(view(s, "/breaks-off").by_class, (stats::outcomes<std::uint64_t>{1, 0, 0, 0, 0, 0, 0}));
    EXPECT_EQ(s.ask([](server& x) { return x.statistics().left.load(); }), 0u);
}

TEST_P(counting, counts_a_client_that_does_not_read_as_failure) {
    options limits;
    limits.write_timeout = 100ms;
    served s(app_, GetParam(), limits);
    client reads_not(s);
    ASSERT_TRUE(reads_not.send(get("/flood")));
    EXPECT_TRUE(s.until([](server& x) { return x.statistics().aborted == 1; }));
    EXPECT_EQ(view(s, "/flood").by_class[stats::outcome_aborted], 1u);
}

TEST_P(counting, shows_requests_that_receive_a_body_or_send_a_response) {
    served s(app_, GetParam());
    client uploads(s);
    ASSERT_TRUE(uploads.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe"));
    EXPECT_TRUE(s.until([](server& x) { return one_at(x, stats::place::body); }));
    ASSERT_TRUE(uploads.send("llo"));
    EXPECT_TRUE(uploads.response().ends_with("hello"));
    client reads_not(s);
    ASSERT_TRUE(reads_not.send(get("/flood")));
    EXPECT_TRUE(s.until([](server& x) { return one_at(x, stats::place::sending); }));
    reads_not.reset();
    EXPECT_TRUE(s.until([](server& x) { return places(x).empty(); }));
}

TEST_P(counting, frees_the_row_of_a_request_with_an_unread_body) {
    served s(app_, GetParam());
    client c(s);
    ASSERT_TRUE(c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"));
    EXPECT_TRUE(c.response().ends_with("ok\n"));
    ASSERT_TRUE(c.send(std::string(100000, 'x') + get("/")));
    EXPECT_TRUE(c.response().ends_with("ok\n"));
    EXPECT_TRUE(s.until([](server& x) { return places(x).empty() && x.statistics().waiting == 0; }));
    EXPECT_EQ(view(s, "/").by_class[2], 2u);
}

TEST_P(counting, counts_stalls_of_the_loop) {
    served s(app_, GetParam());
    client c(s);
    for (int i = 0; i < 2; ++i) {
        ASSERT_TRUE(c.send(get("/stall")));
        ASSERT_FALSE(c.response().empty());
    }
    const figures stall = view(s, "/stall");
    EXPECT_EQ(stall.stalls, 2u);
    EXPECT_GE(stall.loop_ns, 160'000'000);
    // The second request follows a long turn, so its CPU time was measured.
    EXPECT_GE(stall.measured_ns, 80'000'000);
    EXPECT_GT(stall.cpu_ns, 0);
    EXPECT_LE(stall.cpu_ns, stall.measured_ns);
}

TEST_P(counting, counts_connections_by_state) {
    served s(app_, GetParam());
    client idle(s), head(s), hanging(s), silent(s);
    ASSERT_TRUE(idle.send(get("/")));
    ASSERT_FALSE(idle.response().empty());
    ASSERT_TRUE(head.send("GET / HT"));
    ASSERT_TRUE(hanging.send(get("/hang")));
    const auto in = [](server& x, stats::connection_state state) {
        return x.statistics().connections_in[static_cast<std::size_t>(state)].load();
    };
    EXPECT_TRUE(s.until([&](server& x) {
        return in(x, stats::connection_state::idle) == 1 && in(x, stats::connection_state::head) == 2 &&
               in(x, stats::connection_state::serving) == 1;
    }));
    for (client* c : {&idle, &head, &hanging, &silent}) c->reset();
    EXPECT_TRUE(s.until([&](server& x) {
        const auto& all = x.statistics().connections_in;
        return std::accumulate(all.begin(), all.end(), std::uint64_t{0}) == 0;
    }));
}

TEST(RequestSampling, counts_all_requests_and_times_a_sample) {
    scripted app;
    stats::statistics_memory memory;
    memory->begin(1);
    request_counter counter(*memory);
    counter.adapt(100'000, false);
    EXPECT_EQ(memory->sample_every, 16u);
    activity doing;
    for (int i = 0; i < 1600; ++i) {
        handler::request r;
        r.view = 1;
        r.serving = &*memory;
        r.arrived = clock::now();
        counter.starts();
        counter.ends(r, request_counter::class_of(http::status::ok), doing);
    }
    const auto& v = memory->views[1];
    EXPECT_EQ(v.by_class[2], 1600u);
    EXPECT_EQ(std::accumulate(v.latency.begin(), v.latency.end(), std::uint64_t{0}), 1600u);
    EXPECT_GT(v.wall_ns, 0);
    for (int i = 0; i < 10'000; ++i) counter.starts();
    counter.adapt(100'000, true);
    EXPECT_EQ(memory->sample_every, 1u) << "every request is timed while the loop stalls";
}

INSTANTIATE_TEST_SUITE_P(all, counting, ::testing::Values(backend_kind::epoll, backend_kind::io_uring),
                         [](const auto& info) { return info.param == backend_kind::epoll ? "epoll" : "io_uring"; });

}  // namespace
}  // namespace rondo::server
