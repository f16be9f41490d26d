// SPDX-License-Identifier: Apache-2.0
// Measures the time of a request in the queue and on a thread of a pool, for the stats.
#pragma once

#include <rondo/handler/request.hpp>
#include <rondo/stats/cpu_timer.hpp>

namespace rondo::handler {

/// Records that a request is offloaded from the loop to a thread. Constructed and destroyed on the loop thread, around
/// the await.
class thread_hop {
public:
    /// `queue`: request_state::pool_queue or request_state::compute_queue.
    thread_hop(request& r, stats::place queue) noexcept;
    /// Records that the request is back on the loop; without a scope, that the queue was full.
    ~thread_hop();
    thread_hop(const thread_hop&) = delete;
    thread_hop& operator=(const thread_hop&) = delete;

    /// Measures the time on the thread: constructed and destroyed there.
    class stay {
    public:
        stay(thread_hop& timer, stats::place state) noexcept;
        ~stay();
        stay(const stay&) = delete;
        stay& operator=(const stay&) = delete;

    private:
        thread_hop& hop_;
        stopwatch watch_;
    };

private:
    request& request_;
    stats::running_request* row_;
    instant asked_;
    std::int64_t waited_ns_ = -1;  // time in the queue; -1: not started
    bool compute_;
};

}  // namespace rondo::handler
