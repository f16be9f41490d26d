// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/compute_snapshot.hpp>

#include <cstring>
#include <memory>

#include <gtest/gtest.h>

#include <rondo/admin/metrics.hpp>
#include <rondo/admin/status_json.hpp>
#include <rondo/codec/json.hpp>

namespace rondo::admin {
namespace {

using namespace std::chrono_literals;
using stats::job_outcome;

struct slot_memory {
    slot_memory() { std::memset(bytes, 0, sizeof bytes); }
    alignas(stats::compute_stats) std::byte bytes[sizeof(stats::compute_stats)];
};

/// Two compute processes of one name, and a worker that submits jobs.
class ComputeSnapshot : public ::testing::Test {
protected:
    ComputeSnapshot() {
        worker_->on_worker_start(100);
        worker_->state = stats::worker_state::serving;
        worker_sources_.push_back({.name = "0", .counters = &*worker_, .alive = true, .pid = 100});
        for (int i = 0; i < 2; ++i) {
            counters(i).on_process_start(200 + i);
            compute_sources_.push_back({.group = "model",
                                        .name = std::to_string(i),
                                        .counters = &counters(i),
                                        .alive = true,
                                        .ready = true,
                                        .pid = 200 + i,
                                        .resident_bytes = 1 << 20});
        }
    }
    [[nodiscard]] stats::compute_stats& counters(int i) { return stats::compute_stats::attach(slots_[i]->bytes); }
    [[nodiscard]] stats::compute_queue_stats& queue() { return worker_->compute_queue("model"); }
    [[nodiscard]] stats_snapshot snapshot() {
        return take_snapshot(worker_sources_, clock::now(), 10, compute_sources_);
    }

    stats::worker_stats_memory worker_;
    std::unique_ptr<slot_memory> slots_[2] = {std::make_unique<slot_memory>(), std::make_unique<slot_memory>()};
    std::vector<worker_source> worker_sources_;
    std::vector<compute_source> compute_sources_;
};

TEST_F(ComputeSnapshot, are_summed_with_the_jobs_of_workers) {
    for (int i = 0; i < 4; ++i) queue().count_queued();
    for (int i = 0; i < 3; ++i) queue().count_started(2'000'000);
    queue().count_finished(stats::job_outcome::done, true);
    queue().count_finished(stats::job_outcome::timed_out, true);
    queue().count_refused();
    counters(0).start_job(clock::now() - 5ms);
    counters(0).finish_job(clock::now(), 4'000'000);
    counters(1).start_job(clock::now() - 1s);
    const stats_snapshot o = snapshot();
    ASSERT_EQ(o.compute_pools.size(), 1u);
    const compute_pool_snapshot& c = o.compute_pools[0];
    EXPECT_EQ(c.name, "model");
    EXPECT_EQ(c.waiting, 1u);
    EXPECT_EQ(c.running, 1u);
    EXPECT_EQ(c.busy(), 1u);
    EXPECT_EQ(c.count(stats::job_outcome::done), 1u);
    EXPECT_EQ(c.count(stats::job_outcome::refused), 1u);
    EXPECT_EQ(c.processes[0].state, "idle");
    EXPECT_EQ(c.processes[0].jobs, 1u);
    EXPECT_EQ(c.processes[1].state, "busy");
    EXPECT_GE(c.processes[1].busy_ns, 1'000'000'000);
    EXPECT_EQ(c.resident_bytes(), 2u << 20);
    EXPECT_EQ(c.starts, 2u);
    EXPECT_EQ(c.crashes, 0u);
    const std::string text = metrics_text(o);
    for (const char* line :
         {"rondo_compute_jobs_total{name=\"model\",outcome=\"timed_out\"} 1",
          "rondo_compute_processes{name=\"model\"} 2", "rondo_compute_busy_processes{name=\"model\"} 1",
          "rondo_compute_waiting{name=\"model\"} 1", "rondo_compute_queue_wait_seconds_count{name=\"model\"} 3",
          "rondo_compute_queue_wait_seconds_sum{name=\"model\"} 0.006",
          "rondo_compute_run_seconds_count{name=\"model\"} 1", "rondo_compute_cpu_seconds_sum{name=\"model\"} 0.004",
          "rondo_compute_process_info{name=\"model\",compute=\"1\",pid=\"201\",state=\"busy\"} 1",
          "rondo_compute_process_resident_bytes{name=\"model\",compute=\"0\"} 1048576"})
        EXPECT_NE(text.find("\n" + std::string(line) + "\n"), text.npos) << line << "\n" << text;
    const auto json = *codec::parse_json(status_json(o, 1));
    EXPECT_EQ(json["compute_pools"][0]["jobs"]["timed_out"].as_integer(), 1);
    EXPECT_DOUBLE_EQ(json["compute_pools"][0]["queue"]["mean_ms"].as_number(), 2);
    EXPECT_EQ(json["compute_pools"][0]["processes"][1]["state"].as_string(), "busy");
}

TEST_F(ComputeSnapshot, a_crashed_process_leaves_its_counters) {
    counters(0).start_job(clock::now() - 5ms);
    counters(0).finish_job(clock::now(), 4'000'000);
    counters(0).start_job(clock::now());
    compute_sources_[0].alive = false;
    stats_snapshot o = snapshot();
    EXPECT_EQ(o.compute_pools[0].processes.size(), 1u);
    EXPECT_EQ(o.compute_pools[0].crashes, 1u);
    EXPECT_EQ(o.compute_pools[0].busy(), 0u);
    EXPECT_GT(stats::latency::quantile(o.compute_pools[0].wall, 0.5), 0);
    // Another process has taken the slot, but does not count yet.
    compute_sources_[0].alive = true;
    compute_sources_[0].ready = false;
    compute_sources_[0].pid = 555;
    o = snapshot();
    EXPECT_EQ(o.compute_pools[0].processes[0].state, "starting");
    EXPECT_EQ(o.compute_pools[0].processes[0].jobs, 0u);
    EXPECT_EQ(o.compute_pools[0].crashes, 1u);
    counters(0).on_process_start(555);
    EXPECT_EQ(snapshot().compute_pools[0].crashes, 1u);
    counters(0).on_process_exit();
    compute_sources_[0].alive = false;
    EXPECT_EQ(snapshot().compute_pools[0].crashes, 1u);
}

TEST_F(ComputeSnapshot, long_names_are_truncated_alike) {
    const std::string name(100, 'x');
    worker_->compute_queue(name).count_queued();
    compute_sources_[0].group = compute_sources_[1].group = name;
    const stats_snapshot o = snapshot();
    ASSERT_EQ(o.compute_pools.size(), 1u);
    EXPECT_EQ(o.compute_pools[0].processes.size(), 2u);
    EXPECT_EQ(o.compute_pools[0].waiting, 1u);
}

TEST_F(ComputeSnapshot, jobs_of_a_crashed_worker_are_cancelled) {
    queue().count_queued();
    queue().count_queued();
    queue().count_started(1);
    worker_sources_[0].alive = false;
    const stats_snapshot o = snapshot();
    EXPECT_EQ(o.compute_pools[0].waiting, 0u);
    EXPECT_EQ(o.compute_pools[0].running, 0u);
    EXPECT_EQ(o.compute_pools[0].count(stats::job_outcome::cancelled), 2u);
}

}  // namespace
}  // namespace rondo::admin
