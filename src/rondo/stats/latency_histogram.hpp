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
inline constexpr std::size_t buckets_per_octave = 4;
inline constexpr std::size_t bucket_count = std::size_t(last_bit - first_bit) * buckets_per_octave + 2;

[[nodiscard]] constexpr std::size_t bucket_index(std::int64_t ns) noexcept {
    if (ns < std::int64_t{1} << first_bit) return 0;
    const auto n = static_cast<std::uint64_t>(ns);
    const int bit = std::bit_width(n) - 1;
    if (bit >= last_bit) return bucket_count - 1;
    return 1 + std::size_t(bit - first_bit) * buckets_per_octave + ((n >> (bit - 2)) & 3);
}

/// The exclusive upper bound of a bucket, in ns. The last bucket has none.
[[nodiscard]] constexpr std::int64_t upper_bound(std::size_t bucket) noexcept {
    return static_cast<std::int64_t>(4 + bucket % buckets_per_octave)
           << (first_bit - 2 + static_cast<int>(bucket / buckets_per_octave));
}

/// A histogram in shared memory, written by one thread.
using histogram = std::array<std::atomic<std::uint64_t>, bucket_count>;

inline void record(histogram& h, std::int64_t ns) noexcept { add_relaxed(h[bucket_index(ns)], 1); }

/// The sum of the histograms of several threads or processes.
using histogram_totals = std::array<std::uint64_t, bucket_count>;

/// The `q`-quantile (0 to 1) in ns, by linear interpolation within a bucket: the error is at most an eighth. 0 when
/// nothing was counted.
[[nodiscard]] double quantile(const histogram_totals& sum, double q) noexcept;

}  // namespace rondo::stats::latency
