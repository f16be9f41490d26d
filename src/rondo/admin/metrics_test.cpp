// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/metrics.hpp>

#include <gtest/gtest.h>

#include <rondo/admin/status_json.hpp>
#include <rondo/codec/json.hpp>

namespace rondo::admin {
namespace {

/// Two workers that serve the same view.
class two_workers : public ::testing::Test {
protected:
    two_workers() {
        for (int i = 0; i < 2; ++i) {
            stats::statistics& s = *memory_[i];
            s.begin(100 + i);
            s.state = stats::worker_state::serving;
            s.requests = 10;
            s.responses = 9;
            s.connections = 3;
            row_ = s.row_of({.pattern = "/a \"quoted\" \\ one", .methods = "GET, HEAD", .kind = "sync"});
            s.views[row_].by_class[2] = 8;
            s.views[row_].by_class[5] = 1;
            s.views[row_].by_class[stats::outcome_left] = 3;
            s.left = 3;
            stats::latency::count(s.views[row_].latency, 3'000'000);
            sources_.push_back({.name = std::to_string(i),
                                .figures = &s,
                                .alive = true,
                                .process = 100 + i,
                                .resident_bytes = 1 << 20});
        }
    }
    [[nodiscard]] overview look(clock::duration later = {}) const { return read_all(sources_, clock::now() + later); }
    [[nodiscard]] codec::json_value status(const overview& o) const { return *codec::parse_json(status_json(o, 1)); }

    stats::statistics_memory memory_[2];
    std::vector<worker_source> sources_;
    std::uint16_t row_ = 0;
};

TEST_F(two_workers, are_summed_and_listed_individually) {
    const overview o = look();
    EXPECT_EQ(o.all.requests, 20u);
    EXPECT_EQ(o.all.connections, 6u);
    EXPECT_EQ(o.all.resident_bytes, 2u << 20);
    ASSERT_EQ(o.workers.size(), 2u);
    EXPECT_EQ(o.workers[1].requests, 10u);
    EXPECT_EQ(o.workers[1].state, "serving");
    const std::string text = metrics_text(o);
    EXPECT_NE(text.find("\nrondo_requests_received_total 20\n"), text.npos);
    EXPECT_NE(text.find("\nrondo_worker_requests_received_total{worker=\"1\"} 10\n"), text.npos);
    EXPECT_NE(
        text.find("{route=\"/a \\\"quoted\\\" \\\\ one\",methods=\"GET, HEAD\",kind=\"sync\",status=\"2xx\"} 16\n"),
        text.npos);
    EXPECT_NE(text.find("kind=\"sync\",status=\"left\"} 6\n"), text.npos);
    EXPECT_NE(text.find("\nrondo_requests_left_total 6\n"), text.npos);
    EXPECT_NE(text.find("kind=\"sync\",le=\"0.004194304\"} 2\n"), text.npos);
    EXPECT_NE(text.find("kind=\"sync\",le=\"0.002097152\"} 0\n"), text.npos);
}

TEST_F(two_workers, a_crashed_worker_leaves_counters_and_lost_requests) {
    memory_[0]->in_flight = 4;
    sources_[0].alive = false;
    overview o = look();
    EXPECT_EQ(o.all.requests, 20u);
    EXPECT_EQ(o.all.in_flight, 0u);
    EXPECT_EQ(o.all.connections, 3u);
    EXPECT_EQ(o.all.lost, 4u);
    EXPECT_EQ(o.all.crashes, 1u);
    EXPECT_EQ(o.workers.size(), 1u);
    // Another process has taken the slot, but does not count yet.
    sources_[0].alive = true;
    sources_[0].process = 555;
    o = look();
    EXPECT_EQ(o.workers[0].state, "starting");
    EXPECT_EQ(o.all.lost, 4u);
    memory_[0]->begin(555);
    o = look();
    EXPECT_EQ(o.all.lost, 4u);
    EXPECT_EQ(o.all.crashes, 1u);
    EXPECT_EQ(o.all.requests, 20u);
}

TEST_F(two_workers, a_worker_without_samples_is_blocked) {
    memory_[0]->looked_ns = (clock::now() + std::chrono::seconds(10)).time_since_epoch().count();
    const overview o = look(std::chrono::seconds(10));
    EXPECT_EQ(o.workers[0].state, "serving");
    EXPECT_EQ(o.workers[1].state, "blocked");
    EXPECT_GE(o.workers[1].loop_delay_ns, 9'000'000'000);
    EXPECT_GE(o.all.loop_delay_ns, 9'000'000'000);
}

TEST_F(two_workers, running_requests_are_listed_oldest_first) {
    const instant now = clock::now();
    for (int i = 0; i < 5; ++i) {
        const auto row = memory_[i % 2]->take_row(row_, now - std::chrono::seconds(i));
        memory_[i % 2]->row(row)->goes(stats::place::pool_queue);
    }
    const overview o = read_all(sources_, now, 3);
    ASSERT_EQ(o.running.size(), 3u);
    EXPECT_GE(o.running[0].age_ns, 4'000'000'000);
    EXPECT_EQ(o.running[0].where, stats::place::pool_queue);
    EXPECT_EQ(o.running[0].kind, "sync");
    EXPECT_EQ(o.running[0].worker, "0");
    EXPECT_EQ(o.views.back().running, 5u);
    const auto json = status(o);
    EXPECT_EQ(json["running"].size(), 3u);
    EXPECT_EQ(json["not_listed"].as_integer(), 2);
    EXPECT_EQ(json["places"]["pool queue"].as_integer(), 5);
    EXPECT_EQ(codec::parse_json(requests_json(o))->operator[]("running")[0]["where"].as_string(), "pool queue");
}

TEST_F(two_workers, lists_a_request_that_blocks_the_loop) {
    const instant now = clock::now();
    memory_[1]->holds("/a \"quoted\" \\ one", now - std::chrono::seconds(3));
    overview o = read_all(sources_, now);
    ASSERT_EQ(o.running.size(), 1u);
    EXPECT_EQ(o.running[0].where, stats::place::holding);
    EXPECT_EQ(o.running[0].kind, "sync");
    EXPECT_EQ(o.running[0].worker, "1");
    EXPECT_EQ(o.running[0].loop_ns, 3'000'000'000);
    memory_[1]->holds("code outside of views", now);
    EXPECT_EQ(read_all(sources_, now).running[0].pattern, "");
    memory_[1]->holds_no_more();
    EXPECT_TRUE(read_all(sources_, now).running.empty());
}

TEST_F(two_workers, status_json_contains_views_with_their_stats) {
    for (auto& m : memory_) {
        auto& v = m->views[row_];
        v.wall_ns = 90'000'000;
        v.queue_ns = 80'000'000;
        v.by_class[2] = 18;
        v.by_class[5] = 0;
        v.by_class[stats::outcome_left] = 0;
    }
    const auto json = status(look());
    const auto& view = json["views"][1];
    EXPECT_EQ(view["kind"].as_string(), "sync");
    EXPECT_EQ(view["requests"].as_integer(), 36);
    EXPECT_DOUBLE_EQ(view["wall_ms"].as_number(), 5);
    EXPECT_TRUE(view["cpu_share"].is_null());
    EXPECT_NE(view["advice"].as_string().find("--threads"), std::string::npos);
    EXPECT_EQ(json["bounds_ms"].size() + 1, json["latency_counts"].size());
    EXPECT_EQ(json["workers"][0]["state"].as_string(), "serving");
}

TEST_F(two_workers, sums_the_stats_of_client_libraries) {
    constexpr figure_text hits{"hits", "Found."};
    constexpr figure_text wait{"wait", "Waited.", true, true};
    constexpr figure_text entries{"entries", "Kept.", false};
    for (auto& m : memory_) {
        m->resource_of("cache", "memory:", hits)->value = 5;
        m->resource_of("cache", "memory:b", hits)->value = 1;
        m->resource_of("cache", "memory:", entries)->value = 3;
        m->resource_of("client", "", wait)->value = 1'500'000'000;
    }
    std::string text = metrics_text(look());
    EXPECT_NE(text.find("# HELP rondo_cache_hits_total Found.\n# TYPE rondo_cache_hits_total counter\n"
                        "rondo_cache_hits_total{of=\"memory:\"} 10\nrondo_cache_hits_total{of=\"memory:b\"} 2\n"),
              text.npos)
        << text;
    EXPECT_NE(text.find("# TYPE rondo_cache_entries gauge\nrondo_cache_entries{of=\"memory:\"} 6\n"), text.npos);
    EXPECT_NE(text.find("\nrondo_client_wait_seconds_total 3\n"), text.npos);
    const auto json = status(look());
    ASSERT_EQ(json["resources"].size(), 3u);
    EXPECT_EQ(json["resources"][0]["of"].as_string(), "memory:");
    EXPECT_EQ(json["resources"][0]["figures"]["entries"].as_integer(), 6);
    EXPECT_DOUBLE_EQ(json["resources"][2]["figures"]["wait_ms"].as_number(), 3000);
    // Only the counters of an exited worker remain.
    sources_[0].alive = false;
    text = metrics_text(look());
    EXPECT_NE(text.find("rondo_cache_hits_total{of=\"memory:\"} 10\n"), text.npos);
    EXPECT_NE(text.find("rondo_cache_entries{of=\"memory:\"} 3\n"), text.npos);
}

TEST(EmptyStatsSnapshot, has_no_workers) {
    const overview o = read_all({}, clock::now());
    EXPECT_EQ(o.all.requests, 0u);
    EXPECT_TRUE(codec::parse_json(status_json(o, 1)).has_value());
    EXPECT_NE(metrics_text(o).find("rondo_requests_received_total 0\n"), std::string::npos);
    const worker_source starting{.name = "0", .alive = true, .process = 7};
    EXPECT_EQ(read_all({&starting, 1}, clock::now()).workers[0].state, "starting");
}

}  // namespace
}  // namespace rondo::admin
