// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/compute_stats.hpp>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

#include <rondo/stats/worker_stats.hpp>

namespace rondo::stats {
namespace {

using namespace std::chrono_literals;

struct zeroed_memory {
    zeroed_memory() { std::memset(bytes, 0, sizeof bytes); }
    alignas(compute_stats) std::byte bytes[sizeof(compute_stats)];
};

TEST(ComputeStats, continue_in_the_next_process) {
    const auto m = std::make_unique<zeroed_memory>();
    EXPECT_EQ(compute_stats::attach_read_only(m->bytes), nullptr);
    compute_stats& f = compute_stats::attach(m->bytes);
    f.on_process_start(7);
    const instant now = clock::now();
    f.start_job(now);
    EXPECT_NE(f.busy_since_ns, 0);
    f.finish_job(now + 3ms, 2'000'000);
    EXPECT_EQ(f.busy_since_ns, 0);
    EXPECT_EQ(f.jobs, 1u);
    EXPECT_EQ(f.wall_ns, 3'000'000);
    EXPECT_EQ(f.cpu_ns, 2'000'000);
    EXPECT_EQ(f.wall_histogram[latency::bucket_index(3'000'000)], 1u);
    f.on_process_exit();
    compute_stats& next = compute_stats::attach(m->bytes);
    next.on_process_start(8);
    EXPECT_EQ(next.crashes, 0u);
    next.start_job(now);
    next.on_process_start(9);  // the previous process was killed during a job
    EXPECT_EQ(next.crashes, 1u);
    EXPECT_EQ(next.starts, 3u);
    EXPECT_EQ(next.busy_since_ns, 0);
    EXPECT_EQ(compute_stats::attach_read_only(m->bytes)->jobs, 1u);
}

TEST(ComputeStats, of_another_layout_are_cleared) {
    const auto m = std::make_unique<zeroed_memory>();
    compute_stats::attach(m->bytes).on_process_start(7);
    compute_stats::attach(m->bytes).layout = 12345;
    EXPECT_EQ(compute_stats::attach_read_only(m->bytes), nullptr);
    EXPECT_EQ(compute_stats::attach(m->bytes).starts, 0u);
    EXPECT_THROW((void)compute_stats::attach({m->bytes, 8}), std::invalid_argument);
    EXPECT_THROW((void)compute_stats::attach({m->bytes + 1, sizeof m->bytes - 1}), std::invalid_argument);
}

TEST(ComputeQueueStats, count_on_several_threads) {
    worker_stats_memory s;
    compute_queue_stats& d = s->compute_queue("model");
    EXPECT_EQ(&s->compute_queue("model"), &d);
    EXPECT_NE(&s->compute_queue("other"), &d);
    const auto count_jobs = [&d] {
        for (int i = 0; i < 1000; ++i) {
            d.count_queued();
            d.count_started(1'000'000);
            d.count_finished(i % 2 == 0 ? job_outcome::done : job_outcome::lost, true);
        }
        d.count_queued();
        d.count_finished(job_outcome::cancelled, false);
        d.count_refused();
    };
    std::thread other(count_jobs);
    count_jobs();
    other.join();
    EXPECT_EQ(d.waiting, 0u);
    EXPECT_EQ(d.running, 0u);
    EXPECT_EQ(d.by_outcome[0], 1000u);
    EXPECT_EQ(d.by_outcome[1], 1000u);
    EXPECT_EQ(d.by_outcome[3], 2u);
    EXPECT_EQ(d.by_outcome[4], 2u);
    EXPECT_EQ(d.queue_ns, 2'000'000'000);
    EXPECT_EQ(d.queue_histogram[latency::bucket_index(1'000'000)], 2000u);
}

TEST(ComputeQueueStats, of_a_dead_worker_are_counted_as_cancelled) {
    worker_stats_memory s;
    s->on_worker_start(1);
    compute_queue_stats& d = s->compute_queue("model");
    d.count_queued();
    d.count_queued();
    d.count_started(5);
    s->on_worker_start(2);
    EXPECT_EQ(d.waiting, 0u);
    EXPECT_EQ(d.running, 0u);
    EXPECT_EQ(d.by_outcome[4], 2u);
}

TEST(ComputeQueueStats, of_names_beyond_the_table_share_a_row) {
    worker_stats_memory s;
    for (std::size_t i = 0; i < 2 * worker_stats::max_compute_queues; ++i)
        (void)s->compute_queue("model" + std::to_string(i));
    EXPECT_EQ(&s->compute_queue("another"), &s->compute_queue("yet another"));
    EXPECT_STREQ(s->compute_queue("another").name.data(), "(other)");
    EXPECT_STREQ(s->compute_queue("model3").name.data(), "model3");
}

}  // namespace
}  // namespace rondo::stats
