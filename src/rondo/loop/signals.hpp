// SPDX-License-Identifier: Apache-2.0
// Delivers process signals as callbacks on an event loop.
#pragma once

#include <functional>
#include <initializer_list>
#include <vector>

#include <signal.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

/// Calls a function on a loop when the process receives one of the given signals, in the order of their arrival; a
/// signal that arrives again before its call is not reported twice. The function is an ordinary callback that may do
/// anything except destroy the watcher; its exceptions are logged. The signals have handlers, which may run on any
/// thread, and are unblocked in the calling thread: they interrupt system calls that SA_RESTART does not restart, such
/// as poll(). Programs that this process starts, and children that it forks, get the default actions. The destructor
/// restores the previous actions and the signal mask; pending signals are discarded. One watcher per signal. Loop
/// thread only; must not outlive the loop.
class signal_watcher final : poll_operation {
public:
    using function = std::move_only_function<void(int signal)>;

    /// Throws std::system_error.
    signal_watcher(event_loop& loop, std::initializer_list<int> signals, function f);
    ~signal_watcher();

private:
    /// The installed handlers, and the actions that they replaced.
    class handlers {
    public:
        handlers() noexcept = default;
        ~handlers();
        handlers(const handlers&) = delete;
        handlers& operator=(const handlers&) = delete;

        /// Throws std::system_error.
        void install(int signal, int writer);

    private:
        struct replaced_action {
            int signal;
            struct sigaction action;
        };
        std::vector<replaced_action> replaced_;
    };

    void arm();
    void polled(int events) noexcept override;
    /// Returns the next signal, or 0.
    [[nodiscard]] int next() noexcept;

    event_loop& loop_;
    sigset_t blocked_{};  // the signals that were blocked before
    unique_fd reader_;
    unique_fd writer_;
    handlers handlers_;  // they write into the pipe
    function function_;
};

}  // namespace rondo
