// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/cpu_timer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

#include <time.h>

#include <rondo/base/run_delay.hpp>

namespace rondo {

namespace {

constexpr int measured_each = 128;
constexpr std::int64_t long_ns = 100'000;  // much longer than a system call

thread_local constinit int until_measured = 0;

std::int64_t thread_cpu_time() noexcept {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

/// The run delays at the starts of the last measured pieces of work of a thread, by the CPU time at that point. Kept
/// outside cpu_timer, of which every request has one, as only few nested ones are measured at once.
class begun_pieces {
public:
    void note(std::int64_t cpu, std::int64_t delay) noexcept { pieces_[next_++ % pieces_.size()] = {cpu, delay}; }
    /// -1 when it was overwritten.
    [[nodiscard]] std::int64_t delay_at(std::int64_t cpu) const noexcept {
        const auto found = std::ranges::find(pieces_, cpu, &piece::cpu);
        return found == pieces_.end() ? -1 : found->delay;
    }

private:
    struct piece {
        std::int64_t cpu = -1;
        std::int64_t delay = 0;
    };
    std::array<piece, 8> pieces_{};
    std::size_t next_ = 0;
};

thread_local constinit begun_pieces begun{};

}  // namespace

void lap::add_to(time_held& total) const noexcept {
    // Excludes the time on the run queue, where that is known.
    const std::int64_t occupied = measured_ns ? measured_ns : ns;
    rondo::add_to(total.ns, occupied);
    if (measured_ns) {
        rondo::add_to(total.measured_ns, measured_ns);
        rondo::add_to(total.cpu_ns, cpu_ns);
    }
    auto us = static_cast<std::uint32_t>(std::min<std::int64_t>(occupied / 1000, UINT32_MAX));
    if (us > total.longest_us.load(std::memory_order_relaxed)) set_to(total.longest_us, us);
}

void stopwatch::start() noexcept {
    cpu_began_ = -1;
    if (--until_measured < 0) {
        until_measured = measured_each - 1;
        cpu_began_ = thread_cpu_time();
        begun.note(cpu_began_, run_delay());
    }
    began_ = clock::now();
}

lap stopwatch::stop() const noexcept {
    lap result{.ended = clock::now()};
    result.ns = (result.ended - began_).count();
    if (result.ns >= long_ns) until_measured = 0;
    if (cpu_began_ < 0) return result;
    const std::int64_t delay_before = begun.delay_at(cpu_began_);
    if (delay_before < 0) return result;
    result.cpu_ns = std::min(thread_cpu_time() - cpu_began_, result.ns);
    const std::int64_t delay = run_delay() - delay_before;
    // At least a nanosecond, as 0 means not measured.
    result.measured_ns = std::max({result.ns - delay, result.cpu_ns, std::int64_t{1}});
    return result;
}

}  // namespace rondo
