// SPDX-License-Identifier: Apache-2.0
// Signals received as events through a signalfd.
#pragma once

#include <initializer_list>

#include <signal.h>

#include <rondo/base/unique_fd.hpp>

namespace rondo::process {

/// Blocks signals for the process and reads them one by one. Create it before any other thread.
class signal_queue {
public:
    /// Throws std::system_error.
    explicit signal_queue(std::initializer_list<int> signals);
    ~signal_queue();
    signal_queue(const signal_queue&) = delete;
    signal_queue& operator=(const signal_queue&) = delete;

    /// Readable when a signal is pending.
    [[nodiscard]] int fd() const noexcept { return fd_.value(); }
    /// Returns the next signal, 0 when none is pending.
    [[nodiscard]] int next() noexcept;
    /// Unblocks the signals. For forked children.
    void release() noexcept;

private:
    sigset_t signals_{};
    unique_fd fd_;
};

/// Installs handlers that do nothing; programs started by this process get the default actions.
void discard_signals(std::initializer_list<int> signals) noexcept;

}  // namespace rondo::process
