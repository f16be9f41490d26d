// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/stopwatch.hpp>

#include <algorithm>

#include <time.h>

namespace rondo {

namespace {

constexpr int measured_each = 128;
constexpr std::int64_t long_ns = 100'000;  // beside this a system call is nothing

thread_local constinit int until_measured = 0;

std::int64_t processor_time() noexcept {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

void lap::add_to(time_held& to) const noexcept {
    rondo::add_to(to.ns, ns);
    if (measured_ns) {
        rondo::add_to(to.measured_ns, measured_ns);
        rondo::add_to(to.cpu_ns, cpu_ns);
    }
    auto us = static_cast<std::uint32_t>(std::min<std::int64_t>(ns / 1000, UINT32_MAX));
    if (us > to.longest_us.load(std::memory_order_relaxed)) set_to(to.longest_us, us);
}

void stopwatch::start() noexcept {
    cpu_began_ = -1;
    if (--until_measured < 0) {
        until_measured = measured_each - 1;
        cpu_began_ = processor_time();
    }
    began_ = clock::now();
}

lap stopwatch::stop() const noexcept {
    lap took{.ended = clock::now()};
    took.ns = (took.ended - began_).count();
    if (took.ns >= long_ns) until_measured = 0;
    if (cpu_began_ < 0) return took;
    took.measured_ns = took.ns;
    took.cpu_ns = std::min(processor_time() - cpu_began_, took.ns);
    return took;
}

}  // namespace rondo
