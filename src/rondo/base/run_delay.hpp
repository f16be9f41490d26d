// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace rondo {

/// How long the calling thread was able to run and had no processor, since it began, in nanoseconds: on a busy machine
/// that is neither computing nor waiting. Three system calls, one after keep_run_delay_open(). Always 0 where the
/// kernel does not tell (/proc/thread-self/schedstat).
[[nodiscard]] std::int64_t run_delay() noexcept;

/// For a thread that asks often: keeps the kernel's file open until the thread ends, at the cost of a descriptor.
void keep_run_delay_open() noexcept;

/// What the calling thread was told last; 0 before. No system call.
[[nodiscard]] std::int64_t last_run_delay() noexcept;

}  // namespace rondo
