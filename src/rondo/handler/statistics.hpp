// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace rondo::handler {

/// What a server counts. Each figure is written by one loop's thread and may be read by any.
struct statistics {
    std::atomic<std::uint64_t> requests{0};      ///< heads received since the start
    std::atomic<std::uint64_t> responses{0};     ///< finished
    std::atomic<std::uint64_t> refused{0};       ///< answered 4xx/5xx by the server itself: bad input, time-outs
    std::atomic<std::uint64_t> aborted{0};       ///< ended before the response was complete
    std::atomic<std::uint64_t> connections{0};   ///< open now
    std::atomic<std::uint64_t> accepted{0};      ///< connections since the start
    std::atomic<std::uint64_t> in_flight{0};     ///< requests being answered now, waiting ones included
    std::atomic<std::int64_t> busy_ns{0};        ///< time the loop did not wait
    std::atomic<std::int64_t> loop_delay_ns{0};  ///< how late a timer of the loop was at the last look
    std::atomic<std::uint64_t> stalls{0};        ///< times a view held the loop too long
    std::atomic<std::uint64_t> pool_threads{0};  ///< threads of the blocking and compute pools

    /// Adds to a figure that only the calling thread writes: no locked instruction.
    template <class T>
    static void add(std::atomic<T>& figure, T n) noexcept {
        figure.store(figure.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
};

}  // namespace rondo::handler
