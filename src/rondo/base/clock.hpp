// SPDX-License-Identifier: Apache-2.0
// The monotonic clock of all timers and timeouts.
#pragma once

#include <chrono>

namespace rondo {

/// The clock for all timeouts, timers and durations: CLOCK_MONOTONIC, which does not jump with the wall clock.
using clock = std::chrono::steady_clock;
/// A point on that clock.
using instant = clock::time_point;

/// The time `d` from now, saturated at instant::max().
[[nodiscard]] inline instant from_now(clock::duration d) noexcept {
    instant now = clock::now();
    return d > instant::max() - now ? instant::max() : now + d;
}

}  // namespace rondo
