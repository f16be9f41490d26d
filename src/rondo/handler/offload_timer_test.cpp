// SPDX-License-Identifier: Apache-2.0
#include <rondo/handler/offload_timer.hpp>

#include <gtest/gtest.h>

namespace rondo::handler {
namespace {

class hop : public ::testing::Test {
protected:
    hop() {
        memory_->begin(1);
        from_.serving = &*memory_;
        from_.running_in = &in_;
        from_.arrived = clock::now();
    }
    void to_a_thread(stats::place queue, stats::place thread) {
        thread_hop timer(from_, queue);
        EXPECT_EQ(row().where.load(), queue);
        const thread_hop::stay scope(timer, thread);
        EXPECT_EQ(row().where.load(), thread);
    }
    stats::running_request& row() { return *memory_->row(from_.row); }

    stats::statistics_memory memory_;
    context in_;
    request from_;
};

TEST_F(hop, records_state_and_times) {
    to_a_thread(stats::place::pool_queue, stats::place::pool_thread);
    EXPECT_EQ(row().where.load(), stats::place::loop);
    EXPECT_EQ(memory_->blocking.jobs, 1u);
    EXPECT_GE(row().queue_ns, 0);
    EXPECT_GT(row().thread_ns, 0);
    to_a_thread(stats::place::compute_queue, stats::place::compute_thread);
    EXPECT_EQ(memory_->compute.jobs, 1u);
    EXPECT_EQ(in_.held, &row().held);
}

TEST_F(hop, counts_a_full_queue_as_refused) {
    {
        const thread_hop timer(from_, stats::place::pool_queue);
    }
    EXPECT_EQ(memory_->blocking.jobs, 0u);
    EXPECT_EQ(memory_->blocking.refused, 1u);
}

TEST_F(hop, counts_nothing_without_a_server) {
    from_.serving = nullptr;
    thread_hop timer(from_, stats::place::pool_queue);
    const thread_hop::stay scope(timer, stats::place::pool_thread);
    EXPECT_EQ(from_.row, 0);
}

}  // namespace
}  // namespace rondo::handler
