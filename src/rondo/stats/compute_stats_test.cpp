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

struct memory {
    memory() { std::memset(bytes, 0, sizeof bytes); }
    alignas(compute_figures) std::byte bytes[sizeof(compute_figures)];
};

TEST(ComputeStats, continue_in_the_next_process) {
    const auto m = std::make_unique<memory>();
    EXPECT_EQ(compute_figures::look(m->bytes), nullptr);
    compute_figures& f = compute_figures::in(m->bytes);
    f.begin(7);
    const instant now = clock::now();
    f.begin_job(now);
    EXPECT_NE(f.busy_since_ns, 0);
    f.end_job(now + 3ms, 2'000'000);
    EXPECT_EQ(f.busy_since_ns, 0);
    EXPECT_EQ(f.jobs, 1u);
    EXPECT_EQ(f.wall_ns, 3'000'000);
    EXPECT_EQ(f.cpu_ns, 2'000'000);
    EXPECT_EQ(f.wall[latency::bucket_of(3'000'000)], 1u);
    f.end();
    compute_figures& next = compute_figures::in(m->bytes);
    next.begin(8);
    EXPECT_EQ(next.crashes, 0u);
    next.begin_job(now);
    next.begin(9);  // the previous process was killed during a job
    EXPECT_EQ(next.crashes, 1u);
    EXPECT_EQ(next.starts, 3u);
    EXPECT_EQ(next.busy_since_ns, 0);
    EXPECT_EQ(compute_figures::look(m->bytes)->jobs, 1u);
}

TEST(ComputeStats, of_another_layout_are_cleared) {
    const auto m = std::make_unique<memory>();
    compute_figures::in(m->bytes).begin(7);
    compute_figures::in(m->bytes).layout = 12345;
    EXPECT_EQ(compute_figures::look(m->bytes), nullptr);
    EXPECT_EQ(compute_figures::in(m->bytes).starts, 0u);
    EXPECT_THROW((void)compute_figures::in({m->bytes, 8}), std::invalid_argument);
    EXPECT_THROW((void)compute_figures::in({m->bytes + 1, sizeof m->bytes - 1}), std::invalid_argument);
}

TEST(ComputeQueueStats, count_on_several_threads) {
    statistics_memory s;
    compute_demand& d = s->demand_of("model");
    EXPECT_EQ(&s->demand_of("model"), &d);
    EXPECT_NE(&s->demand_of("other"), &d);
    const auto count_jobs = [&d] {
        for (int i = 0; i < 1000; ++i) {
            d.asked();
            d.begun(1'000'000);
            d.over(i % 2 == 0 ? job_end::done : job_end::lost, true);
        }
        d.asked();
        d.over(job_end::cancelled, false);
        d.refused();
    };
    std::thread other(count_jobs);
    count_jobs();
    other.join();
    EXPECT_EQ(d.waiting, 0u);
    EXPECT_EQ(d.running, 0u);
    EXPECT_EQ(d.ended[0], 1000u);
    EXPECT_EQ(d.ended[1], 1000u);
    EXPECT_EQ(d.ended[3], 2u);
    EXPECT_EQ(d.ended[4], 2u);
    EXPECT_EQ(d.queue_ns, 2'000'000'000);
    EXPECT_EQ(d.queue[latency::bucket_of(1'000'000)], 2000u);
}

TEST(ComputeQueueStats, of_a_dead_worker_are_counted_as_cancelled) {
    statistics_memory s;
    s->begin(1);
    compute_demand& d = s->demand_of("model");
    d.asked();
    d.asked();
    d.begun(5);
    s->begin(2);
    EXPECT_EQ(d.waiting, 0u);
    EXPECT_EQ(d.running, 0u);
    EXPECT_EQ(d.ended[4], 2u);
}

TEST(ComputeQueueStats, of_names_beyond_the_table_share_a_row) {
    statistics_memory s;
    for (std::size_t i = 0; i < 2 * statistics::max_computers; ++i) (void)s->demand_of("model" + std::to_string(i));
    EXPECT_EQ(&s->demand_of("another"), &s->demand_of("yet another"));
    EXPECT_STREQ(s->demand_of("another").name.data(), "(other)");
    EXPECT_STREQ(s->demand_of("model3").name.data(), "model3");
}

}  // namespace
}  // namespace rondo::stats
