// SPDX-License-Identifier: Apache-2.0
// Measures the time of a request in the queue and on a thread of a pool, for the stats.
#pragma once

#include <rondo/handler/request.hpp>
#include <rondo/stats/cpu_timer.hpp>

namespace rondo::handler {

/// Records that a request is offloaded from the loop to a thread. Constructed and destroyed on the loop thread, around
/// the await.
class offload_timer {
public:
    /// `queue`: request_state::pool_queue or request_state::compute_queue.
    offload_timer(request& r, stats::request_state queue) noexcept;
    /// Records that the request is back on the loop; without a scope, that the queue was full.
    ~offload_timer();
    offload_timer(const offload_timer&) = delete;
    offload_timer& operator=(const offload_timer&) = delete;

    /// Measures the time on the thread: constructed and destroyed there.
    class scope {
    public:
        scope(offload_timer& timer, stats::request_state state) noexcept;
        ~scope();
        scope(const scope&) = delete;
        scope& operator=(const scope&) = delete;

    private:
        offload_timer& timer_;
        cpu_timer cpu_timer_;
    };

private:
    request& request_;
    stats::running_request* row_;
    instant queued_at_;
    std::int64_t waited_ns_ = -1;  // time in the queue; -1: not started
    bool is_compute_;
};

}  // namespace rondo::handler
