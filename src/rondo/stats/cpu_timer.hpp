// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include <rondo/base/clock.hpp>

namespace rondo {

/// Adds to, or sets, a figure that only the calling thread writes and any may read: no locked instruction.
template <class T, class N>
void add_to(std::atomic<T>& figure, N n) noexcept {
    figure.store(static_cast<T>(figure.load(std::memory_order_relaxed) + static_cast<T>(n)), std::memory_order_relaxed);
}
template <class T, class N>
void set_to(std::atomic<T>& figure, N n) noexcept {
    figure.store(static_cast<T>(n), std::memory_order_relaxed);
}

/// How long some work held the threads it ran on. Written by one thread at a time, read by any.
struct time_held {
    std::atomic<std::int64_t> ns;
    std::atomic<std::int64_t> measured_ns;  ///< of it, where processor time was measured as well
    std::atomic<std::int64_t> cpu_ns;       ///< the processor time within measured_ns
    std::atomic<std::uint32_t> longest_us;  ///< the longest piece, in microseconds
    std::uint32_t spare;
};

/// What one piece of work took.
struct lap {
    std::int64_t ns = 0;
    std::int64_t measured_ns = 0;  ///< ns without the time on the run queue; 0: not measured
    std::int64_t cpu_ns = 0;
    instant ended{};

    void add_to(time_held& to) const noexcept;
};

/// Takes the time of a piece of work. Reading the thread's processor time is a system call: it is done for one piece in
/// 128 of a thread, and for every piece that follows a long one.
class stopwatch {
public:
    void start() noexcept;
    /// What passed since start(). On the same thread.
    [[nodiscard]] lap stop() const noexcept;

private:
    instant began_;
    std::int64_t cpu_began_ = -1;
};

}  // namespace rondo
