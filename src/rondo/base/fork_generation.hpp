// SPDX-License-Identifier: Apache-2.0
// Detects that an object was inherited over a fork, so that it does not use threads and sockets of the parent process.
#pragma once

#include <atomic>

namespace rondo {

/// The number of forks between the start of the program and this process. Costs no system call. Any thread.
[[nodiscard]] unsigned fork_generation() noexcept;

/// Marks what belongs to one process: threads, connections. Any thread.
class process_mark {
public:
    /// True in the process that made this object, or that called renew() last.
    [[nodiscard]] bool is_own() const noexcept {
        return generation_.load(std::memory_order_acquire) == fork_generation();
    }
    /// Makes the calling process the owner.
    void renew() noexcept { generation_.store(fork_generation(), std::memory_order_release); }

private:
    std::atomic<unsigned> generation_{fork_generation()};
};

}  // namespace rondo
