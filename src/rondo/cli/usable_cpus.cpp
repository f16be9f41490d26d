// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/usable_cpus.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <thread>

#include <sched.h>

namespace rondo::cli {

namespace {

// "max 100000" or "150000 100000": quota and period in microseconds. A container sees its own group as the root.
unsigned cpu_quota() noexcept {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/sys/fs/cgroup/cpu.max", "re"), std::fclose);
    unsigned long quota_us = 0;
    unsigned long period_us = 0;
    if (!file || std::fscanf(file.get(), "%lu %lu", &quota_us, &period_us) != 2 || period_us == 0) return 0;
    return static_cast<unsigned>((quota_us + period_us - 1) / period_us);
}

}  // namespace

unsigned usable_cpus() noexcept {
    cpu_set_t set;
    unsigned cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set))
                                                                : std::thread::hardware_concurrency();
    if (unsigned limit = cpu_quota()) cpus = std::min(cpus, limit);
    return std::max(1u, cpus);
}

}  // namespace rondo::cli
