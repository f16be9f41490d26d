// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/usable_cpus.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <thread>

#include <sched.h>

namespace rondo::cli {

namespace {

// "max 100000" or "150000 100000": microseconds of every so many. In a container the own group is the root one sees.
unsigned quota() noexcept {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/sys/fs/cgroup/cpu.max", "re"), std::fclose);
    unsigned long allowed = 0;
    unsigned long period = 0;
    if (!file || std::fscanf(file.get(), "%lu %lu", &allowed, &period) != 2 || period == 0) return 0;
    return static_cast<unsigned>((allowed + period - 1) / period);
}

}  // namespace

unsigned usable_cores() noexcept {
    cpu_set_t set;
    unsigned cores = sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set))
                                                                 : std::thread::hardware_concurrency();
    if (unsigned allowed = quota()) cores = std::min(cores, allowed);
    return std::max(1u, cores);
}

}  // namespace rondo::cli
