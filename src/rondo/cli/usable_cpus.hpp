// SPDX-License-Identifier: Apache-2.0
// Counts the CPUs that this process may use.
#pragma once

namespace rondo::cli {

/// The number of CPUs that this process may use, at least 1: those of its affinity mask (sched_getaffinity(2)), or the
/// quota of its control group if smaller (cpu.max of cgroup v2, as set for containers), rounded up.
[[nodiscard]] unsigned usable_cpus() noexcept;

}  // namespace rondo::cli
