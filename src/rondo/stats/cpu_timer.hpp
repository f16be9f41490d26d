// SPDX-License-Identifier: Apache-2.0
// Measures the wall and CPU time of work on a thread.
#pragma once

#include <atomic>
#include <cstdint>

#include <rondo/base/clock.hpp>

namespace rondo {

/// Adds to, or sets, a counter that only the calling thread writes and any thread reads: no locked instruction.
template <class T, class N>
void add_relaxed(std::atomic<T>& counter, N n) noexcept {
    counter.store(static_cast<T>(counter.load(std::memory_order_relaxed) + static_cast<T>(n)),
                  std::memory_order_relaxed);
}
template <class T, class N>
void store_relaxed(std::atomic<T>& counter, N n) noexcept {
    counter.store(static_cast<T>(n), std::memory_order_relaxed);
}

/// How long some work occupied the threads it ran on. Written by one thread at a time, read by any.
struct thread_time_counters {
    std::atomic<std::int64_t> ns;
    std::atomic<std::int64_t> measured_ns;  ///< the part of it for which CPU time was measured
    std::atomic<std::int64_t> cpu_ns;       ///< the CPU time within measured_ns
    std::atomic<std::uint32_t> max_us;      ///< the longest piece of work, in microseconds
    std::uint32_t padding;
};

/// The time of one piece of work.
struct cpu_sample {
    std::int64_t ns = 0;
    std::int64_t measured_ns = 0;  ///< ns without the time on the run queue; 0: not measured
    std::int64_t cpu_ns = 0;
    instant ended{};

    void add_to(thread_time_counters& total) const noexcept;
};

/// Measures a piece of work. Reading the CPU time of a thread is a system call: it is done for one piece in 128 on each
/// thread, and for every piece that follows a long one.
class cpu_timer {
public:
    void start() noexcept;
    /// The time since start(), which was called on the same thread.
    [[nodiscard]] cpu_sample stop() const noexcept;

private:
    instant start_;
    std::int64_t cpu_start_ = -1;
};

}  // namespace rondo
