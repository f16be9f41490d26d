// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/cpu_timer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

#include <time.h>

#include <rondo/base/run_delay.hpp>

namespace rondo {

namespace {

constexpr int measurement_interval = 128;
constexpr std::int64_t long_work_ns = 100'000;  // much longer than a system call

thread_local constinit int until_measurement = 0;

std::int64_t thread_cpu_time() noexcept {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

/// The run delays at the starts of the last measured pieces of work of a thread, by the CPU time at that point. Kept
/// outside cpu_timer, of which every request has one, as only few nested ones are measured at once.
class start_history {
public:
    void record(std::int64_t cpu, std::int64_t delay) noexcept {
        entries_[next_index_++ % entries_.size()] = {cpu, delay};
    }
    /// -1 when it was overwritten.
    [[nodiscard]] std::int64_t delay_for(std::int64_t cpu) const noexcept {
        const auto found = std::ranges::find(entries_, cpu, &entry::cpu);
        return found == entries_.end() ? -1 : found->delay;
    }

private:
    struct entry {
        std::int64_t cpu = -1;
        std::int64_t delay = 0;
    };
    std::array<entry, 8> entries_{};
    std::size_t next_index_ = 0;
};

thread_local constinit start_history starts{};

}  // namespace

void cpu_sample::add_to(thread_time_counters& total) const noexcept {
    // Excludes the time on the run queue, where that is known.
    const std::int64_t occupied = measured_ns ? measured_ns : ns;
    rondo::add_relaxed(total.ns, occupied);
    if (measured_ns) {
        rondo::add_relaxed(total.measured_ns, measured_ns);
        rondo::add_relaxed(total.cpu_ns, cpu_ns);
    }
    auto us = static_cast<std::uint32_t>(std::min<std::int64_t>(occupied / 1000, UINT32_MAX));
    if (us > total.max_us.load(std::memory_order_relaxed)) store_relaxed(total.max_us, us);
}

void cpu_timer::start() noexcept {
    cpu_start_ = -1;
    if (--until_measurement < 0) {
        until_measurement = measurement_interval - 1;
        cpu_start_ = thread_cpu_time();
        starts.record(cpu_start_, run_delay());
    }
    start_ = clock::now();
}

cpu_sample cpu_timer::stop() const noexcept {
    cpu_sample result{.ended = clock::now()};
    result.ns = (result.ended - start_).count();
    if (result.ns >= long_work_ns) until_measurement = 0;
    if (cpu_start_ < 0) return result;
    const std::int64_t delay_before = starts.delay_for(cpu_start_);
    if (delay_before < 0) return result;
    result.cpu_ns = std::min(thread_cpu_time() - cpu_start_, result.ns);
    const std::int64_t delay = run_delay() - delay_before;
    // At least a nanosecond, as 0 means not measured.
    result.measured_ns = std::max({result.ns - delay, result.cpu_ns, std::int64_t{1}});
    return result;
}

}  // namespace rondo
