// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <initializer_list>

#include <signal.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

/// Calls back on a loop when one of these signals comes to the process: an ordinary call, in which everything is
/// allowed except to destroy the watcher; what it throws is logged. The signals are blocked in the calling thread, and
/// so in the threads made later: make the watcher before pools and other threads, or their default action ends the
/// process. The destructor restores what it changed; signals that came and were not called for are dropped. One watcher
/// per signal. Loop thread only; must not outlive the loop.
class signal_watcher final : poll_operation {
public:
    using function = std::move_only_function<void(int signal)>;

    /// Throws std::system_error.
    signal_watcher(event_loop& loop, std::initializer_list<int> signals, function f);
    ~signal_watcher();

private:
    void wait();
    void polled(int events) noexcept override;
    /// The next signal that came, or 0.
    [[nodiscard]] int next() noexcept;

    event_loop& loop_;
    sigset_t unblocked_{};  // those that were not blocked before
    unique_fd fd_;
    function function_;
};

}  // namespace rondo
