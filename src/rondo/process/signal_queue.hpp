// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>

#include <signal.h>

#include <rondo/base/unique_fd.hpp>

namespace rondo::process {

/// Signals as events: blocked for the process, and read one by one. Before any other thread is made.
class signal_queue {
public:
    /// Throws std::system_error.
    explicit signal_queue(std::initializer_list<int> signals);
    ~signal_queue();
    signal_queue(const signal_queue&) = delete;
    signal_queue& operator=(const signal_queue&) = delete;

    /// Readable when one has come.
    [[nodiscard]] int fd() const noexcept { return fd_.value(); }
    /// The next one, 0 when there is none.
    [[nodiscard]] int next() noexcept;
    /// Unblocks them: in a child process that was forked.
    void release() noexcept;

private:
    sigset_t signals_{};
    unique_fd fd_;
};

/// From now on these do nothing to this process; programs that it starts find them at their default.
void swallow(std::initializer_list<int> signals) noexcept;

}  // namespace rondo::process
