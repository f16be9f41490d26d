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
constexpr std::int64_t long_ns = 100'000;  // beside this a system call is nothing

thread_local constinit int until_measured = 0;

std::int64_t processor_time() noexcept {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

/// The waits for a processor until the last measured pieces of a thread began, by the processor time of then. Beside
/// the stopwatches: there is one for every request, and few are measured at once, one within the other.
class begun_pieces {
public:
    void note(std::int64_t cpu, std::int64_t delay) noexcept { pieces_[next_++ % pieces_.size()] = {cpu, delay}; }
    /// -1 when it is forgotten.
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

void lap::add_to(time_held& to) const noexcept {
    // Without the time in which the thread had no processor, where that is known.
    const std::int64_t held = measured_ns ? measured_ns : ns;
    rondo::add_to(to.ns, held);
    if (measured_ns) {
        rondo::add_to(to.measured_ns, measured_ns);
        rondo::add_to(to.cpu_ns, cpu_ns);
    }
    auto us = static_cast<std::uint32_t>(std::min<std::int64_t>(held / 1000, UINT32_MAX));
    if (us > to.longest_us.load(std::memory_order_relaxed)) set_to(to.longest_us, us);
}

void stopwatch::start() noexcept {
    cpu_began_ = -1;
    if (--until_measured < 0) {
        until_measured = measured_each - 1;
        cpu_began_ = processor_time();
        begun.note(cpu_began_, run_delay());
    }
    began_ = clock::now();
}

lap stopwatch::stop() const noexcept {
    lap took{.ended = clock::now()};
    took.ns = (took.ended - began_).count();
    if (took.ns >= long_ns) until_measured = 0;
    if (cpu_began_ < 0) return took;
    const std::int64_t delay_before = begun.delay_at(cpu_began_);
    if (delay_before < 0) return took;
    took.cpu_ns = std::min(processor_time() - cpu_began_, took.ns);
    const std::int64_t delay = run_delay() - delay_before;
    // At least a nanosecond: 0 means that it was not measured.
    took.measured_ns = std::max({took.ns - delay, took.cpu_ns, std::int64_t{1}});
    return took;
}

}  // namespace rondo
