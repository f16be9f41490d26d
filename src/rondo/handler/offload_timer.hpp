// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/handler/request.hpp>
#include <rondo/stats/cpu_timer.hpp>

namespace rondo::handler {

/// A request on its way from the loop to a thread and back, as the statistics see it. Made and destroyed on the loop's
/// thread, around the await.
class thread_hop {
public:
    /// `queue`: place::pool_queue or place::compute_queue.
    thread_hop(request& r, stats::place queue) noexcept;
    /// The request is on the loop again, or found the queue full.
    ~thread_hop();
    thread_hop(const thread_hop&) = delete;
    thread_hop& operator=(const thread_hop&) = delete;

    /// The stay on the thread: made and destroyed there.
    class stay {
    public:
        stay(thread_hop& hop, stats::place where) noexcept;
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
    std::int64_t waited_ns_ = -1;  // until the thread began
    bool compute_;
};

}  // namespace rondo::handler
