// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace rondo::cli {

/// How many cores this process may use, at least 1: those it may run on (sched_getaffinity(2)), or fewer where the
/// control group it is in has a smaller quota (cpu.max of cgroup v2, as containers set it), rounded up.
[[nodiscard]] unsigned usable_cores() noexcept;

}  // namespace rondo::cli
