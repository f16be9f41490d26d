// SPDX-License-Identifier: Apache-2.0
// Detects and reports work that blocks an event loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <rondo/loop/loop.hpp>

namespace rondo {

struct stall_options {
    std::chrono::milliseconds threshold{50};  ///< work that blocks the loop for longer is a stall; at least 1 ms
    int max_reports_per_minute = 6;           ///< 0: stalls are counted but not reported
};

/// A stall: one piece of work has blocked the loop's thread.
struct stall_report {
    std::chrono::milliseconds duration{0};  ///< until now; in total when ended
    std::chrono::milliseconds cpu_time{0};  ///< CPU time within the duration; the rest was spent waiting
    bool ended = false;                     ///< false: first report of a stall; true: second report, after its end
    std::string context_name;               ///< task_context::name of the work (the route); empty outside of a context
    std::string stack;                      ///< in the first report; one line per frame, empty when unavailable
    std::uint64_t not_reported = 0;         ///< stalls since the last report that were counted but not reported

    /// The text for the log.
    [[nodiscard]] std::string text() const;
};

/// Watches a loop from a separate thread and reports work that blocks it for longer than the threshold: during the
/// stall, and again after its end. Every detected stall is counted in loop.counters().stalls. Stalls of up to one and a
/// half times the threshold may go unnoticed. Costs the loop nothing until it stalls; then its thread is interrupted
/// once by SIGURG (see interrupt_thread).
/// Construct and destroy it on the loop's thread, and destroy it before the loop.
class stall_detector {
public:
    /// Called on the detector's thread.
    using function = std::move_only_function<void(const stall_report&)>;

    /// Without a function, reports are logged. Throws std::system_error when the thread cannot be created.
    explicit stall_detector(event_loop& loop, stall_options options = {}, function report = nullptr);
    ~stall_detector();
    stall_detector(const stall_detector&) = delete;
    stall_detector& operator=(const stall_detector&) = delete;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace rondo
