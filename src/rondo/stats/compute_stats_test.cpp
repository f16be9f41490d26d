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

TEST(compute_figures, go_on_from_one_process_to_the_next) {
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
    next.begin(9);  // the one before was killed in a job
    EXPECT_EQ(next.crashes, 1u);
    EXPECT_EQ(next.starts, 3u);
    EXPECT_EQ(next.busy_since_ns, 0);
    EXPECT_EQ(compute_figures::look(m->bytes)->jobs, 1u);
}

TEST(compute_figures, of_another_layout_are_wiped) {
    const auto m = std::make_unique<memory>();
    compute_figures::in(m->bytes).begin(7);
    compute_figures::in(m->bytes).layout = 12345;
    EXPECT_EQ(compute_figures::look(m->bytes), nullptr);
    EXPECT_EQ(compute_figures::in(m->bytes).starts, 0u);
    EXPECT_THROW((void)compute_figures::in({m->bytes, 8}), std::invalid_argument);
    EXPECT_THROW((void)compute_figures::in({m->bytes + 1, sizeof m->bytes - 1}), std::invalid_argument);
}

TEST(compute_demand, is_counted_from_several_threads) {
    statistics_memory of;
    compute_demand& d = of->demand_of("model");
    EXPECT_EQ(&of->demand_of("model"), &d);
    EXPECT_NE(&of->demand_of("other"), &d);
    const auto ask = [&d] {
        for (int i = 0; i < 1000; ++i) {
            d.asked();
            d.begun(1'000'000);
            d.over(i % 2 == 0 ? job_end::done : job_end::lost, true);
        }
        d.asked();
        d.over(job_end::cancelled, false);
        d.refused();
    };
    std::thread other(ask);
    ask();
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

TEST(compute_demand, of_a_worker_that_died_is_cancelled) {
    statistics_memory of;
    of->begin(1);
    compute_demand& d = of->demand_of("model");
    d.asked();
    d.asked();
    d.begun(5);
    of->begin(2);
    EXPECT_EQ(d.waiting, 0u);
    EXPECT_EQ(d.running, 0u);
    EXPECT_EQ(d.ended[4], 2u);
}

TEST(compute_demand, of_more_names_than_there_are_rows_is_told_together) {
    statistics_memory of;
    for (std::size_t i = 0; i < 2 * statistics::max_computers; ++i) (void)of->demand_of("model" + std::to_string(i));
    EXPECT_EQ(&of->demand_of("another"), &of->demand_of("one more"));
    EXPECT_STREQ(of->demand_of("another").name.data(), "(other)");
    EXPECT_STREQ(of->demand_of("model3").name.data(), "model3");
}

}  // namespace
}  // namespace rondo::stats
