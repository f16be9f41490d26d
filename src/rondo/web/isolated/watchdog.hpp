// SPDX-License-Identifier: Apache-2.0
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

/// Watches over the thread that runs the jobs of a compute process, with a thread of its own and by the signals of the
/// process: TERM ends the process after the job that runs, INT and QUIT end it at once, USR1 opens the log anew. A
/// job whose peer is gone is announced as cancelled. One that is over its time is, too, and the process ends, without a
/// word more from that job, when it does not end within `grace`. Tells that the process lives, and counts the jobs.
class compute_watch {
public:
    static constexpr clock::duration grace = std::chrono::milliseconds(200);

    struct options {
        /// Called twice a second and whenever a job begins or ends, on some thread, never twice at once: the process
        /// lives, while a job runs until its deadline, whatever comes.
        std::function<void(instant)> lives_until;
        std::function<void()> ending;               ///< no further job is begun; as above
        stats::compute_figures* figures = nullptr;  ///< null: nothing is counted
    };

    /// Throws std::system_error. One per process.
    explicit compute_watch(options o);
    ~compute_watch();
    compute_watch(const compute_watch&) = delete;
    compute_watch& operator=(const compute_watch&) = delete;

    /// `what` names the job in the log.
    void begin(int connection, instant deadline, cancel_source& of, std::string what);
    /// The job's answer begins: it has another deadline from now on, not an earlier one.
    void answers(instant deadline);
    void end() noexcept;

    /// Readable when the process is to end.
    [[nodiscard]] int asked_to_end() const noexcept { return asked_to_end_.value(); }

private:
    struct job {
        int connection = -1;
        instant deadline = instant::max();
        cancel_source* of = nullptr;
        std::string what;
        bool gone = false;  // its peer
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
    unique_fd news_;        // of a job, or of the end of this
    unique_fd signals_[2];  // a pipe: what came
    std::mutex mutex_;
    job job_;
    std::int64_t cpu_before_ = 0;  // of the process, when the job began
    bool over_ = false;
    named_thread thread_;
};

}  // namespace rondo::detail
