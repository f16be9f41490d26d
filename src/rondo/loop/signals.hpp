// SPDX-License-Identifier: Apache-2.0
// Delivers process signals as callbacks on an event loop.
#pragma once

#include <functional>
#include <initializer_list>

#include <signal.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

/// Calls a function on a loop when the process receives one of the given signals. The function is an ordinary callback
/// that may do anything except destroy the watcher; its exceptions are logged. The signals are blocked in the calling
/// thread, and so in threads created later: create the watcher before pools and other threads, or the default action of
/// a signal ends the process. The destructor restores the signal mask; pending signals are discarded. One watcher per
/// signal. Loop thread only; must not outlive the loop.
class signal_watcher final : poll_operation {
public:
    using function = std::move_only_function<void(int signal)>;

    /// Throws std::system_error.
    signal_watcher(event_loop& loop, std::initializer_list<int> signals, function f);
    ~signal_watcher();

private:
    void arm();
    void polled(int events) noexcept override;
    /// Returns the next pending signal, or 0.
    [[nodiscard]] int next() noexcept;

    event_loop& loop_;
    sigset_t unblocked_{};  // the signals that were not blocked before
    unique_fd fd_;
    function function_;
};

}  // namespace rondo
