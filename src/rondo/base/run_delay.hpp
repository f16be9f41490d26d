// SPDX-License-Identifier: Apache-2.0
// Time that a thread was runnable but had no CPU (/proc/thread-self/schedstat).
#pragma once

#include <cstdint>

namespace rondo {

/// Nanoseconds since its start that the calling thread was runnable but had no CPU: on a busy machine this is neither
/// computing nor waiting. Three system calls, one after keep_schedstat_open(). Always 0 when the kernel does not
/// provide /proc/thread-self/schedstat.
[[nodiscard]] std::int64_t run_delay() noexcept;

/// For frequent calls of run_delay(): keeps the schedstat file of the calling thread open until the thread ends.
void keep_schedstat_open() noexcept;

/// The result of the last run_delay() on the calling thread; 0 before the first. No system call.
[[nodiscard]] std::int64_t last_run_delay() noexcept;

}  // namespace rondo
