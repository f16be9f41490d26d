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
class compute_watchdog {
public:
    static constexpr clock::duration grace = std::chrono::milliseconds(200);

    struct options {
        /// See worker_options::on_heartbeat.
        std::function<void(instant)> on_heartbeat;
        std::function<void()> on_stopping;          ///< called on any thread when no further job will start
        stats::compute_stats* job_stats = nullptr;  ///< null: jobs are not counted
    };

    /// Throws std::system_error. One per process.
    explicit compute_watchdog(options o);
    ~compute_watchdog();
    compute_watchdog(const compute_watchdog&) = delete;
    compute_watchdog& operator=(const compute_watchdog&) = delete;

    /// Starts to monitor a job; `description` identifies it in the log.
    void start_job(int connection, instant deadline, cancel_source& cancel, std::string description);
    /// Sets a later deadline; called when the response of the job starts.
    void extend_deadline(instant deadline);
    void end_job() noexcept;

    /// A descriptor that becomes readable when the process is to stop.
    [[nodiscard]] int stop_fd() const noexcept { return stop_event_.value(); }

private:
    struct job {
        int connection = -1;
        instant deadline = instant::max();
        cancel_source* cancel = nullptr;
        std::string description;
        bool peer_closed = false;  // the peer has closed the connection
        bool expired = false;
    };

    void run();
    void poll_once();
    [[nodiscard]] int poll_timeout();
    void check_deadline();
    void on_peer_closed(int connection);
    void send_heartbeat();
    void record_job_end() noexcept;
    [[noreturn]] void exit_process(int status);
    void handle_signals();
    [[nodiscard]] bool is_job_running();

    options options_;
    unique_fd stop_event_;
    unique_fd wakeup_;          // an eventfd: wakes the thread for a new job or the destructor
    unique_fd signal_pipe_[2];  // a pipe that the signal handler writes to
    std::mutex mutex_;
    job job_;
    std::int64_t cpu_at_start_ = 0;  // CPU time of the process when the job started, in nanoseconds
    bool stopping_ = false;
    named_thread thread_;
};

}  // namespace rondo::detail
