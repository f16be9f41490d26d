// SPDX-License-Identifier: Apache-2.0
// Places versioned stats structures in shared memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <stdexcept>

/// Stats in memory that several processes share and that outlives them. `Stats` has a `layout_version` and an atomic
/// `layout`; all bytes zero means that nothing was counted.
namespace rondo::stats {

/// Includes the size, which distinguishes versions even when layout_version was not incremented.
template <class Stats>
inline constexpr std::uint32_t layout_signature =
    (Stats::layout_version << 24) ^ static_cast<std::uint32_t>(sizeof(Stats));

template <class Stats>
[[nodiscard]] bool fits_in(std::span<const std::byte> memory) noexcept {
    return memory.size() >= sizeof(Stats) && reinterpret_cast<std::uintptr_t>(memory.data()) % alignof(Stats) == 0;
}

/// Returns the stats in `memory`, whose bytes are zero or were written by an earlier process. Clears those of another
/// version of Rondo. Throws std::invalid_argument when the memory is too small or misaligned.
template <class Stats>
[[nodiscard]] Stats& placed_in(std::span<std::byte> memory) {
    if (!fits_in<Stats>(memory)) throw std::invalid_argument("the memory for stats is too small or misaligned");
    auto& stats = *std::launder(reinterpret_cast<Stats*>(memory.data()));
    const std::uint32_t layout = stats.layout.load(std::memory_order_acquire);
    if (layout != 0 && layout != layout_signature<Stats>)
        std::memset(static_cast<void*>(memory.data()), 0, sizeof(Stats));
    stats.layout.store(layout_signature<Stats>, std::memory_order_release);
    return stats;
}

/// The same for readers: null when nothing was counted there, or by another version.
template <class Stats>
[[nodiscard]] const Stats* find_placed_in(std::span<const std::byte> memory) noexcept {
    if (!fits_in<Stats>(memory)) return nullptr;
    const auto& stats = *std::launder(reinterpret_cast<const Stats*>(memory.data()));
    return stats.layout.load(std::memory_order_acquire) == layout_signature<Stats> ? &stats : nullptr;
}

}  // namespace rondo::stats
