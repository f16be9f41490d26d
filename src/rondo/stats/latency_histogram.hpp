// SPDX-License-Identifier: Apache-2.0
// Logarithmic latency histograms in shared memory.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <rondo/stats/cpu_timer.hpp>

/// Histograms of durations: four buckets per octave from a microsecond to 69 seconds, one below and one above. Every
/// fourth bound is a power of two in nanoseconds.
namespace rondo::stats::latency {

inline constexpr int first_bit = 10;  ///< 2^10 ns are about a microsecond
inline constexpr int last_bit = 36;
inline constexpr std::size_t per_octave = 4;
inline constexpr std::size_t buckets = std::size_t(last_bit - first_bit) * per_octave + 2;

[[nodiscard]] constexpr std::size_t bucket_of(std::int64_t ns) noexcept {
    if (ns < std::int64_t{1} << first_bit) return 0;
    const auto n = static_cast<std::uint64_t>(ns);
    const int bit = std::bit_width(n) - 1;
    if (bit >= last_bit) return buckets - 1;
    return 1 + std::size_t(bit - first_bit) * per_octave + ((n >> (bit - 2)) & 3);
}

/// The exclusive upper bound of a bucket, in ns. The last bucket has none.
[[nodiscard]] constexpr std::int64_t bound(std::size_t bucket) noexcept {
    return static_cast<std::int64_t>(4 + bucket % per_octave)
           << (first_bit - 2 + static_cast<int>(bucket / per_octave));
}

/// A histogram in shared memory, written by one thread.
using counts = std::array<std::atomic<std::uint64_t>, buckets>;

inline void count(counts& h, std::int64_t ns) noexcept { add_to(h[bucket_of(ns)], 1); }

/// The sum of the histograms of several threads or processes.
using totals = std::array<std::uint64_t, buckets>;

/// The `q`-quantile (0 to 1) in ns, by linear interpolation within a bucket: the error is at most an eighth. 0 when
/// nothing was counted.
[[nodiscard]] double quantile(const totals& sum, double q) noexcept;

}  // namespace rondo::stats::latency
