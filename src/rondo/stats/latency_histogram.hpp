// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <rondo/stats/cpu_timer.hpp>

/// Durations by size: four buckets for each doubling, from a microsecond to 69 seconds, and one for what is below and
/// one for what is above. Every fourth bound is a power of two of nanoseconds.
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

/// The least duration, in ns, that is not in this bucket any more: the bound above. There is none for the last one.
[[nodiscard]] constexpr std::int64_t bound(std::size_t bucket) noexcept {
    return static_cast<std::int64_t>(4 + bucket % per_octave)
           << (first_bit - 2 + static_cast<int>(bucket / per_octave));
}

/// Counts in shared memory, written by one thread.
using counts = std::array<std::atomic<std::uint64_t>, buckets>;

inline void count(counts& in, std::int64_t ns) noexcept { add_to(in[bucket_of(ns)], 1); }

/// Counts added up from several threads or processes.
using totals = std::array<std::uint64_t, buckets>;

/// The duration, in ns, that the share `part` (0 to 1) of them does not exceed, by linear interpolation within a
/// bucket: at most an eighth wrong. 0 when nothing was counted.
[[nodiscard]] double quantile(const totals& of, double part) noexcept;

}  // namespace rondo::stats::latency
