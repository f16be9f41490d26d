// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace rondo {

/// The one clock of Rondo for time-outs, timers and durations: CLOCK_MONOTONIC. Never jumps with the wall clock.
using clock = std::chrono::steady_clock;
/// A point on that clock.
using instant = clock::time_point;

}  // namespace rondo
