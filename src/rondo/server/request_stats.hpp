// SPDX-License-Identifier: Apache-2.0
// Counts and times the requests of a server, per view.
#pragma once

#include <cstddef>
#include <cstdint>

#include <rondo/coro/ready_queue.hpp>
#include <rondo/handler/request.hpp>
#include <rondo/http/status.hpp>
#include <rondo/stats/cpu_timer.hpp>
#include <rondo/stats/worker_stats.hpp>

namespace rondo::server {

/// Counts the requests of a server by view. All requests are counted. Reading the clock costs as much as the counting,
/// so at high rates only one in sixteen of the requests answered without suspension is timed, with weight sixteen. Loop
/// thread only.
class request_counter {
public:
    explicit request_counter(stats::worker_stats& counters) noexcept : stats_(counters) {}

    /// Called before the application runs.
    void on_start() noexcept {
        if (--until_sample_ == 0) start_sample();
    }
    /// Called when the application suspends.
    void on_suspend(handler::request& r) noexcept;
    /// Called when the application has finished. `outcome` is status_class() of the response or another outcome.
    void on_end(handler::request& r, std::size_t outcome, thread_activity& activity) noexcept {
        stats::view_stats& v = stats_.views[r.view_row];
        add_relaxed(v.by_class[outcome], 1);
        if (r.running_row != 0) return finish_suspended(v, r, activity);
        if (sampling_) record_time(v, r);
        add_relaxed(v.latency[v.last_bucket.load(std::memory_order_relaxed)], 1);
    }

    /// Called before the request is destroyed.
    void on_destroy(handler::request& r) noexcept {
        if (r.running_row != 0) free_row(r);
    }

    /// Called periodically: times every request while the rate is low or the loop stalls.
    void adapt_sampling(std::uint64_t per_second, bool stalls) noexcept;

    static std::size_t status_class(http::status code) noexcept {
        const auto n = static_cast<unsigned>(http::to_int(code)) / 100;
        return n <= 5 ? n : stats::outcome_aborted;
    }

private:
    void start_sample() noexcept;
    void record_time(stats::view_stats& v, const handler::request& r) noexcept;
    void free_row(handler::request& r) noexcept;
    void finish_suspended(stats::view_stats& v, handler::request& r, thread_activity& activity) noexcept;
    void record_stall(stats::view_stats& v, std::int64_t ns) noexcept;

    stats::worker_stats& stats_;
    std::uint32_t until_sample_ = 1;
    std::uint32_t sample_every_ = 1;
    std::uint32_t samples_since_adapt_ = 0;  // requests timed since the last adaptation
    bool sampling_ = false;
    cpu_timer cpu_timer_;
};

}  // namespace rondo::server
