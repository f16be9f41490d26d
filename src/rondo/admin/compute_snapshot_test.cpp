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
using stats::job_end;

struct slot_memory {
    slot_memory() { std::memset(bytes, 0, sizeof bytes); }
    alignas(stats::compute_figures) std::byte bytes[sizeof(stats::compute_figures)];
};

/// Two compute processes of one name, and a worker that submits jobs.
class two_computers : public ::testing::Test {
protected:
    two_computers() {
        worker_->begin(100);
        worker_->state = stats::worker_state::serving;
        workers_.push_back({.name = "0", .figures = &*worker_, .alive = true, .process = 100});
        for (int i = 0; i < 2; ++i) {
            figures(i).begin(200 + i);
            computers_.push_back({.group = "model",
                                  .name = std::to_string(i),
                                  .figures = &figures(i),
                                  .alive = true,
                                  .ready = true,
                                  .process = 200 + i,
                                  .resident_bytes = 1 << 20});
        }
    }
    [[nodiscard]] stats::compute_figures& figures(int i) { return stats::compute_figures::in(slots_[i]->bytes); }
    [[nodiscard]] stats::compute_demand& demand() { return worker_->demand_of("model"); }
    [[nodiscard]] overview look() { return read_all(workers_, clock::now(), 10, computers_); }

    stats::statistics_memory worker_;
    std::unique_ptr<slot_memory> slots_[2] = {std::make_unique<slot_memory>(), std::make_unique<slot_memory>()};
    std::vector<worker_source> workers_;
    std::vector<compute_source> computers_;
};

TEST_F(two_computers, are_summed_with_the_jobs_of_workers) {
    for (int i = 0; i < 4; ++i) demand().asked();
    for (int i = 0; i < 3; ++i) demand().begun(2'000'000);
    demand().over(stats::job_end::done, true);
    demand().over(stats::job_end::late, true);
    demand().refused();
    figures(0).begin_job(clock::now() - 5ms);
    figures(0).end_job(clock::now(), 4'000'000);
    figures(1).begin_job(clock::now() - 1s);
    const overview o = look();
    ASSERT_EQ(o.computers.size(), 1u);
    const compute_totals& c = o.computers[0];
    EXPECT_EQ(c.name, "model");
    EXPECT_EQ(c.waiting, 1u);
    EXPECT_EQ(c.running, 1u);
    EXPECT_EQ(c.busy(), 1u);
    EXPECT_EQ(c.count(stats::job_end::done), 1u);
    EXPECT_EQ(c.count(stats::job_end::refused), 1u);
    EXPECT_EQ(c.processes[0].state, "idle");
    EXPECT_EQ(c.processes[0].jobs, 1u);
    EXPECT_EQ(c.processes[1].state, "busy");
    EXPECT_GE(c.processes[1].busy_ns, 1'000'000'000);
    EXPECT_EQ(c.resident_bytes(), 2u << 20);
    EXPECT_EQ(c.starts, 2u);
    EXPECT_EQ(c.crashes, 0u);
    const std::string text = metrics_text(o);
    for (const char* line :
         {"rondo_compute_jobs_total{name=\"model\",outcome=\"late\"} 1", "rondo_compute_processes{name=\"model\"} 2",
          "rondo_compute_busy_processes{name=\"model\"} 1", "rondo_compute_waiting{name=\"model\"} 1",
          "rondo_compute_queue_wait_seconds_count{name=\"model\"} 3",
          "rondo_compute_queue_wait_seconds_sum{name=\"model\"} 0.006",
          "rondo_compute_run_seconds_count{name=\"model\"} 1", "rondo_compute_cpu_seconds_sum{name=\"model\"} 0.004",
          "rondo_compute_process_info{name=\"model\",compute=\"1\",process=\"201\",state=\"busy\"} 1",
          "rondo_compute_process_resident_bytes{name=\"model\",compute=\"0\"} 1048576"})
        EXPECT_NE(text.find("\n" + std::string(line) + "\n"), text.npos) << line << "\n" << text;
    const auto json = *codec::parse_json(status_json(o, 1));
    EXPECT_EQ(json["computers"][0]["jobs"]["late"].as_integer(), 1);
    EXPECT_DOUBLE_EQ(json["computers"][0]["queue"]["mean_ms"].as_number(), 2);
    EXPECT_EQ(json["computers"][0]["processes"][1]["state"].as_string(), "busy");
}

TEST_F(two_computers, a_crashed_process_leaves_its_counters) {
    figures(0).begin_job(clock::now() - 5ms);
    figures(0).end_job(clock::now(), 4'000'000);
    figures(0).begin_job(clock::now());
    computers_[0].alive = false;
    overview o = look();
    EXPECT_EQ(o.computers[0].processes.size(), 1u);
    EXPECT_EQ(o.computers[0].crashes, 1u);
    EXPECT_EQ(o.computers[0].busy(), 0u);
    EXPECT_GT(stats::latency::quantile(o.computers[0].wall, 0.5), 0);
    // Another process has taken the slot, but does not count yet.
    computers_[0].alive = true;
    computers_[0].ready = false;
    computers_[0].process = 555;
    o = look();
    EXPECT_EQ(o.computers[0].processes[0].state, "starting");
    EXPECT_EQ(o.computers[0].processes[0].jobs, 0u);
    EXPECT_EQ(o.computers[0].crashes, 1u);
    figures(0).begin(555);
    EXPECT_EQ(look().computers[0].crashes, 1u);
    figures(0).end();
    computers_[0].alive = false;
    EXPECT_EQ(look().computers[0].crashes, 1u);
}

TEST_F(two_computers, long_names_are_truncated_alike) {
    const std::string name(100, 'x');
    worker_->demand_of(name).asked();
    computers_[0].group = computers_[1].group = name;
    const overview o = look();
    ASSERT_EQ(o.computers.size(), 1u);
    EXPECT_EQ(o.computers[0].processes.size(), 2u);
    EXPECT_EQ(o.computers[0].waiting, 1u);
}

TEST_F(two_computers, jobs_of_a_crashed_worker_are_cancelled) {
    demand().asked();
    demand().asked();
    demand().begun(1);
    workers_[0].alive = false;
    const overview o = look();
    EXPECT_EQ(o.computers[0].waiting, 0u);
    EXPECT_EQ(o.computers[0].running, 0u);
    EXPECT_EQ(o.computers[0].count(stats::job_end::cancelled), 2u);
}

}  // namespace
}  // namespace rondo::admin
