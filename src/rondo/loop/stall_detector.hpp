// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <rondo/loop/loop.hpp>

namespace rondo {

struct stall_options {
    std::chrono::milliseconds threshold{50};  ///< the loop may be held this long; at least 1 ms
    int most_reports_per_minute = 6;          ///< 0: stalls are only counted
};

/// A loop that could do nothing else, because one piece of work held its thread.
struct stall_report {
    std::chrono::milliseconds held{0};       ///< so far; the whole when over
    std::chrono::milliseconds computing{0};  ///< processor time within it: the rest was spent waiting
    bool over = false;                       ///< false: the first report of this stall; true: its second, after the end
    std::string activity;                    ///< context::activity of what ran (the route); empty when it ran in none
    std::string stack;            ///< in the first report; one line per frame, empty when it could not be taken
    std::uint64_t not_shown = 0;  ///< stalls since the last report that were only counted

    /// What the log says.
    [[nodiscard]] std::string text() const;
};

/// Watches a loop from a thread of its own and reports what holds it for longer than the threshold, while it
/// does and again when it is over; every stall seen is counted in loop.counters().stalls. What lasts up to half a
/// threshold longer than the threshold may go unnoticed. Costs the loop nothing until it stalls; then its thread is
/// interrupted once by SIGURG (see interrupt_thread).
/// To be made and destroyed on the loop's thread, and destroyed before the loop.
class stall_detector {
public:
    /// Called on the detector's thread.
    using function = std::move_only_function<void(const stall_report&)>;

    /// Without a function reports go to the log. Throws std::system_error when no thread can be made.
    explicit stall_detector(event_loop& loop, stall_options options = {}, function report = nullptr);
    ~stall_detector();
    stall_detector(const stall_detector&) = delete;
    stall_detector& operator=(const stall_detector&) = delete;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace rondo
