// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace rondo {

/// How long the calling thread was able to run and had no processor, since it began, in nanoseconds: on a busy machine
/// that is neither computing nor waiting. A system call, and a descriptor for every thread that ever asks. Always 0
/// where the kernel does not tell (/proc/thread-self/schedstat).
[[nodiscard]] std::int64_t run_delay() noexcept;

/// What the calling thread was told last; 0 before. No system call.
[[nodiscard]] std::int64_t last_run_delay() noexcept;

}  // namespace rondo
