// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/metrics.hpp>

#include <gtest/gtest.h>

#include <rondo/admin/status_json.hpp>
#include <rondo/codec/json.hpp>

namespace rondo::admin {
namespace {

/// Two workers that serve the same view.
class StatsSnapshot : public ::testing::Test {
protected:
    StatsSnapshot() {
        for (int i = 0; i < 2; ++i) {
            stats::worker_stats& s = *memory_[i];
            s.on_worker_start(100 + i);
            s.state = stats::worker_state::serving;
            s.requests = 10;
            s.responses = 9;
            s.connections = 3;
            s.gil_wait_ns = 1'500'000'000;
            row_ = s.view_row({.pattern = "/a \"quoted\" \\ one", .methods = "GET, HEAD", .kind = "sync"});
            s.views[row_].by_class[2] = 8;
            s.views[row_].by_class[5] = 1;
            s.views[row_].by_class[stats::outcome_client_closed] = 3;
            s.client_closed = 3;
            stats::latency::record(s.views[row_].latency, 3'000'000);
            sources_.push_back(
                {.name = std::to_string(i), .counters = &s, .alive = true, .pid = 100 + i, .resident_bytes = 1 << 20});
        }
    }
    [[nodiscard]] stats_snapshot snapshot(clock::duration later = {}) const {
        return take_snapshot(sources_, clock::now() + later);
    }
    [[nodiscard]] codec::json_value status(const stats_snapshot& o) const {
        return *codec::parse_json(status_json(o, 1));
    }

    stats::worker_stats_memory memory_[2];
    std::vector<worker_source> sources_;
    std::uint16_t row_ = 0;
};

TEST_F(StatsSnapshot, are_summed_and_listed_individually) {
    const stats_snapshot o = snapshot();
    EXPECT_EQ(o.total.requests, 20u);
    EXPECT_EQ(o.total.connections, 6u);
    EXPECT_EQ(o.total.resident_bytes, 2u << 20);
    ASSERT_EQ(o.workers.size(), 2u);
    EXPECT_EQ(o.workers[1].requests, 10u);
    EXPECT_EQ(o.workers[1].state, "serving");
    const std::string text = metrics_text(o);
    EXPECT_NE(text.find("\nrondo_requests_received_total 20\n"), text.npos);
    EXPECT_NE(text.find("\nrondo_worker_requests_received_total{worker=\"1\"} 10\n"), text.npos);
    EXPECT_NE(text.find("\nrondo_worker_gil_wait_seconds_total{worker=\"1\"} 1.5\n"), text.npos);
    EXPECT_NE(
        text.find("{route=\"/a \\\"quoted\\\" \\\\ one\",methods=\"GET, HEAD\",kind=\"sync\",status=\"2xx\"} 16\n"),
        text.npos);
    EXPECT_NE(text.find("kind=\"sync\",status=\"client_closed\"} 6\n"), text.npos);
    EXPECT_NE(text.find("\nrondo_requests_client_closed_total 6\n"), text.npos);
    EXPECT_NE(text.find("kind=\"sync\",le=\"0.004194304\"} 2\n"), text.npos);
    EXPECT_NE(text.find("kind=\"sync\",le=\"0.002097152\"} 0\n"), text.npos);
}

TEST_F(StatsSnapshot, a_crashed_worker_leaves_counters_and_lost_requests) {
    memory_[0]->in_flight = 4;
    sources_[0].alive = false;
    stats_snapshot o = snapshot();
    EXPECT_EQ(o.total.requests, 20u);
    EXPECT_EQ(o.total.in_flight, 0u);
    EXPECT_EQ(o.total.connections, 3u);
    EXPECT_EQ(o.total.lost, 4u);
    EXPECT_EQ(o.total.crashes, 1u);
    EXPECT_EQ(o.workers.size(), 1u);
    // Another process has taken the slot, but does not count yet.
    sources_[0].alive = true;
    sources_[0].pid = 555;
    o = snapshot();
    EXPECT_EQ(o.workers[0].state, "starting");
    EXPECT_EQ(o.total.lost, 4u);
    memory_[0]->on_worker_start(555);
    o = snapshot();
    EXPECT_EQ(o.total.lost, 4u);
    EXPECT_EQ(o.total.crashes, 1u);
    EXPECT_EQ(o.total.requests, 20u);
    EXPECT_EQ(o.workers[0].gil_wait_ns, 1'500'000'000) << "a successor continues it";
}

TEST_F(StatsSnapshot, a_worker_without_samples_is_blocked) {
    memory_[0]->sampled_ns = (clock::now() + std::chrono::seconds(10)).time_since_epoch().count();
    const stats_snapshot o = snapshot(std::chrono::seconds(10));
    EXPECT_EQ(o.workers[0].state, "serving");
    EXPECT_EQ(o.workers[1].state, "blocked");
    EXPECT_GE(o.workers[1].loop_delay_ns, 9'000'000'000);
    EXPECT_GE(o.total.loop_delay_ns, 9'000'000'000);
}

TEST_F(StatsSnapshot, running_requests_are_listed_oldest_first) {
    const instant now = clock::now();
    for (int i = 0; i < 5; ++i) {
        const auto row = memory_[i % 2]->acquire_row(row_, now - std::chrono::seconds(i));
        memory_[i % 2]->running_row(row)->enter(stats::request_state::pool_queue);
    }
    const stats_snapshot o = take_snapshot(sources_, now, 3);
    ASSERT_EQ(o.running.size(), 3u);
    EXPECT_GE(o.running[0].age_ns, 4'000'000'000);
    EXPECT_EQ(o.running[0].state, stats::request_state::pool_queue);
    EXPECT_EQ(o.running[0].kind, "sync");
    EXPECT_EQ(o.running[0].worker, "0");
    EXPECT_EQ(o.views.back().running, 5u);
    const auto json = status(o);
    EXPECT_EQ(json["running"].size(), 3u);
    EXPECT_EQ(json["not_listed"].as_integer(), 2);
    EXPECT_EQ(json["request_states"]["pool queue"].as_integer(), 5);
    EXPECT_EQ(codec::parse_json(requests_json(o))->operator[]("running")[0]["state"].as_string(), "pool queue");
}

TEST_F(StatsSnapshot, lists_a_request_that_blocks_the_loop) {
    const instant now = clock::now();
    memory_[1]->mark_blocking("/a \"quoted\" \\ one", now - std::chrono::seconds(3));
    stats_snapshot o = take_snapshot(sources_, now);
    ASSERT_EQ(o.running.size(), 1u);
    EXPECT_EQ(o.running[0].state, stats::request_state::blocking_loop);
    EXPECT_EQ(o.running[0].kind, "sync");
    EXPECT_EQ(o.running[0].worker, "1");
    EXPECT_EQ(o.running[0].loop_ns, 3'000'000'000);
    memory_[1]->mark_blocking("code outside of views", now);
    EXPECT_EQ(take_snapshot(sources_, now).running[0].pattern, "");
    memory_[1]->clear_blocking();
    EXPECT_TRUE(take_snapshot(sources_, now).running.empty());
}

TEST_F(StatsSnapshot, status_json_contains_views_with_their_stats) {
    for (auto& m : memory_) {
        auto& v = m->views[row_];
        v.wall_ns = 90'000'000;
        v.queue_ns = 80'000'000;
        v.by_class[2] = 18;
        v.by_class[5] = 0;
        v.by_class[stats::outcome_client_closed] = 0;
    }
    const auto json = status(snapshot());
    const auto& view = json["views"][1];
    EXPECT_EQ(view["kind"].as_string(), "sync");
    EXPECT_EQ(view["requests"].as_integer(), 36);
    EXPECT_DOUBLE_EQ(view["wall_ms"].as_number(), 5);
    EXPECT_TRUE(view["cpu_share"].is_null());
    EXPECT_NE(view["advice"].as_string().find("--threads"), std::string::npos);
    EXPECT_EQ(json["bounds_ms"].size() + 1, json["latency_counts"].size());
    EXPECT_EQ(json["workers"][0]["state"].as_string(), "serving");
    EXPECT_DOUBLE_EQ(json["workers"][0]["gil_wait_ms"].as_number(), 1500);
    EXPECT_DOUBLE_EQ(json["all"]["gil_wait_ms"].as_number(), 3000);
}

TEST_F(StatsSnapshot, sums_the_stats_of_client_libraries) {
    constexpr metric_descriptor hits{"hits", "Found."};
    constexpr metric_descriptor wait{"wait", "Waited.", true, true};
    constexpr metric_descriptor entries{"entries", "Kept.", false};
    for (auto& m : memory_) {
        m->client_library_stat_row("cache", "memory:", hits)->value = 5;
        m->client_library_stat_row("cache", "memory:b", hits)->value = 1;
        m->client_library_stat_row("cache", "memory:", entries)->value = 3;
        m->client_library_stat_row("client", "", wait)->value = 1'500'000'000;
    }
    std::string text = metrics_text(snapshot());
    EXPECT_NE(text.find("# HELP rondo_cache_hits_total Found.\n# TYPE rondo_cache_hits_total counter\n"
                        "rondo_cache_hits_total{name=\"memory:\"} 10\nrondo_cache_hits_total{name=\"memory:b\"} 2\n"),
              text.npos)
        << text;
    EXPECT_NE(text.find("# TYPE rondo_cache_entries gauge\nrondo_cache_entries{name=\"memory:\"} 6\n"), text.npos);
    EXPECT_NE(text.find("\nrondo_client_wait_seconds_total 3\n"), text.npos);
    const auto json = status(snapshot());
    ASSERT_EQ(json["resources"].size(), 3u);
    EXPECT_EQ(json["resources"][0]["name"].as_string(), "memory:");
    EXPECT_EQ(json["resources"][0]["stats"]["entries"].as_integer(), 6);
    EXPECT_DOUBLE_EQ(json["resources"][2]["stats"]["wait_ms"].as_number(), 3000);
    // Only the counters of an exited worker remain.
    sources_[0].alive = false;
    text = metrics_text(snapshot());
    EXPECT_NE(text.find("rondo_cache_hits_total{name=\"memory:\"} 10\n"), text.npos);
    EXPECT_NE(text.find("rondo_cache_entries{name=\"memory:\"} 3\n"), text.npos);
}

TEST(EmptyStatsSnapshot, has_no_workers) {
    const stats_snapshot o = take_snapshot({}, clock::now());
    EXPECT_EQ(o.total.requests, 0u);
    EXPECT_TRUE(codec::parse_json(status_json(o, 1)).has_value());
    EXPECT_NE(metrics_text(o).find("rondo_requests_received_total 0\n"), std::string::npos);
    const worker_source starting{.name = "0", .alive = true, .pid = 7};
    EXPECT_EQ(take_snapshot({&starting, 1}, clock::now()).workers[0].state, "starting");
}

}  // namespace
}  // namespace rondo::admin
