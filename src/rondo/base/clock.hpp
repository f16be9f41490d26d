// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace rondo {

/// The one clock of Rondo for time-outs, timers and durations: CLOCK_MONOTONIC. Never jumps with the wall clock.
using clock = std::chrono::steady_clock;
/// A point on that clock.
using instant = clock::time_point;

/// `d` from now; instant::max() when the clock does not reach that far.
[[nodiscard]] inline instant from_now(clock::duration d) noexcept {
    instant now = clock::now();
    return d > instant::max() - now ? instant::max() : now + d;
}

}  // namespace rondo
