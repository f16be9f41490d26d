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
    explicit request_counter(stats::statistics& in) noexcept : figures_(in) {}

    /// Called before the application runs.
    void starts() noexcept {
        if (--until_timed_ == 0) start_timing();
    }
    /// Called when the application suspends.
    void waits(handler::request& r) noexcept;
    /// Called when the application has finished. `outcome` is status_class() of the response or another outcome.
    void ends(handler::request& r, std::size_t outcome, activity& doing) noexcept {
        stats::view_figures& v = figures_.views[r.view];
        add_to(v.by_class[outcome], 1);
        if (r.row != 0) return end_of_wait(v, r, doing);
        if (timed_) count_time(v, r);
        add_to(v.latency[v.last_bucket.load(std::memory_order_relaxed)], 1);
    }

    /// Called before the request is destroyed.
    void gone(handler::request& r) noexcept {
        if (r.row != 0) free_row(r);
    }

    /// Called periodically: times every request while the rate is low or the loop stalls.
    void adapt(std::uint64_t per_second, bool stalls) noexcept;

    static std::size_t class_of(http::status code) noexcept {
        const auto n = static_cast<unsigned>(http::to_int(code)) / 100;
        return n <= 5 ? n : stats::outcome_aborted;
    }

private:
    void start_timing() noexcept;
    void count_time(stats::view_figures& v, const handler::request& r) noexcept;
    void free_row(handler::request& r) noexcept;
    void end_of_wait(stats::view_figures& v, handler::request& r, activity& doing) noexcept;
    void note_hold(stats::view_figures& v, std::int64_t ns) noexcept;

    stats::statistics& figures_;
    std::uint32_t until_timed_ = 1;
    std::uint32_t every_ = 1;
    std::uint32_t timed_since_ = 0;  // requests timed since the last adaptation
    bool timed_ = false;
    stopwatch watch_;
};

}  // namespace rondo::server
