// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include <rondo/coro/ready_queue.hpp>
#include <rondo/handler/request.hpp>
#include <rondo/http/status.hpp>
#include <rondo/stats/cpu_timer.hpp>
#include <rondo/stats/worker_stats.hpp>

namespace rondo::server {

/// Counts the requests of a server by view. Every one is counted. Reading a clock costs as much as all the counting, so
/// of requests that are answered at once, when there are many, the time of one in sixteen is taken and stands for
/// fifteen more. On the loop's thread.
class request_counter {
public:
    explicit request_counter(stats::statistics& in) noexcept : figures_(in) {}

    /// The application is about to be called.
    void starts() noexcept {
        if (--until_timed_ == 0) start_timing();
    }
    /// The application did not answer at once.
    void waits(handler::request& r) noexcept;
    /// The application has answered, or given up: `outcome` is class_of() its status, or one of the other outcomes.
    void ends(handler::request& r, std::size_t outcome, activity& doing) noexcept {
        stats::view_figures& v = figures_.views[r.view];
        add_to(v.by_class[outcome], 1);
        if (r.row != 0) return end_of_wait(v, r, doing);
        if (timed_) count_time(v, r);
        add_to(v.latency[v.last_bucket.load(std::memory_order_relaxed)], 1);
    }

    /// The request goes, whatever it did after its end.
    void gone(handler::request& r) noexcept {
        if (r.row != 0) free_row(r);
    }

    /// Now and then: takes every time as long as requests are few or the loop is held for long.
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
    std::uint32_t timed_since_ = 0;  // it was adapted
    bool timed_ = false;
    stopwatch watch_;
};

}  // namespace rondo::server
