// SPDX-License-Identifier: Apache-2.0
// The thread of a compute process that enforces job deadlines, sends heartbeats and handles signals.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include <rondo/base/clock.hpp>
#include <rondo/base/thread.hpp>
#include <rondo/base/unique_fd.hpp>
#include <rondo/coro/cancel.hpp>
#include <rondo/stats/compute_stats.hpp>

namespace rondo::detail {

/// Monitors the thread that runs the jobs of a compute process, with a thread of its own, and handles the signals of
/// the process: TERM ends it after the current job, INT and QUIT at once, USR1 reopens the log. Cancels a job whose
/// peer has disconnected or whose deadline has passed; if a job does not end within `grace` after its deadline, the
/// process exits. Also sends the heartbeat and counts the jobs.
class compute_watch {
public:
    static constexpr clock::duration grace = std::chrono::milliseconds(200);

    struct options {
        /// See worker_options::on_heartbeat.
        std::function<void(instant)> lives_until;
        std::function<void()> ending;               ///< called on any thread when no further job will start
        stats::compute_figures* figures = nullptr;  ///< null: jobs are not counted
    };

    /// Throws std::system_error. One per process.
    explicit compute_watch(options o);
    ~compute_watch();
    compute_watch(const compute_watch&) = delete;
    compute_watch& operator=(const compute_watch&) = delete;

    /// Starts to monitor a job; `description` identifies it in the log.
    void begin(int connection, instant deadline, cancel_source& cancel, std::string description);
    /// Sets a later deadline; called when the response of the job starts.
    void answers(instant deadline);
    void end() noexcept;

    /// A descriptor that becomes readable when the process is to stop.
    [[nodiscard]] int asked_to_end() const noexcept { return asked_to_end_.value(); }

private:
    struct job {
        int connection = -1;
        instant deadline = instant::max();
        cancel_source* of = nullptr;
        std::string what;
        bool gone = false;  // the peer has closed the connection
        bool late = false;
    };

    void run();
    void turn();
    [[nodiscard]] int time_left();
    void look_at_time();
    void peer_gone(int connection);
    void tell_life();
    void count_end() noexcept;
    [[noreturn]] void leave(int status);
    void take_signals();
    [[nodiscard]] bool running();

    options options_;
    unique_fd asked_to_end_;
    unique_fd news_;        // an eventfd: wakes the thread for a new job or the destructor
    unique_fd signals_[2];  // a pipe that the signal handler writes to
    std::mutex mutex_;
    job job_;
    std::int64_t cpu_before_ = 0;  // CPU time of the process when the job started, in nanoseconds
    bool over_ = false;
    named_thread thread_;
};

}  // namespace rondo::detail
