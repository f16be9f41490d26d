// SPDX-License-Identifier: Apache-2.0
#include <rondo/handler/offload_timer.hpp>

#include <gtest/gtest.h>

namespace rondo::handler {
namespace {

class OffloadTimer : public ::testing::Test {
protected:
    OffloadTimer() {
        stats_->on_worker_start(1);
        request_.stats = &*stats_;
        request_.context = &context_;
        request_.arrived = clock::now();
    }
    void offload(stats::request_state queue, stats::request_state thread) {
        offload_timer timer(request_, queue);
        EXPECT_EQ(row().state.load(), queue);
        const offload_timer::scope scope(timer, thread);
        EXPECT_EQ(row().state.load(), thread);
    }
    stats::running_request& row() { return *stats_->running_row(request_.running_row); }

    stats::worker_stats_memory stats_;
    task_context context_;
    request request_;
};

TEST_F(OffloadTimer, records_state_and_times) {
    offload(stats::request_state::pool_queue, stats::request_state::pool_thread);
    EXPECT_EQ(row().state.load(), stats::request_state::loop);
    EXPECT_EQ(stats_->blocking_pool.jobs, 1u);
    EXPECT_GE(row().queue_ns, 0);
    EXPECT_GT(row().thread_ns, 0);
    offload(stats::request_state::compute_queue, stats::request_state::compute_thread);
    EXPECT_EQ(stats_->compute_pool.jobs, 1u);
    EXPECT_EQ(context_.thread_time, &row().loop_time);
}

TEST_F(OffloadTimer, counts_a_full_queue_as_refused) {
    {
        const offload_timer timer(request_, stats::request_state::pool_queue);
    }
    EXPECT_EQ(stats_->blocking_pool.jobs, 0u);
    EXPECT_EQ(stats_->blocking_pool.refused, 1u);
}

TEST_F(OffloadTimer, counts_nothing_without_a_server) {
    request_.stats = nullptr;
    offload_timer timer(request_, stats::request_state::pool_queue);
    const offload_timer::scope scope(timer, stats::request_state::pool_thread);
    EXPECT_EQ(request_.running_row, 0);
}

}  // namespace
}  // namespace rondo::handler
