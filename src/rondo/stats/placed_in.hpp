// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <span>
#include <stdexcept>

/// Figures in memory that several processes share and that outlives them. `Figures` has a `layout_version`, an atomic
/// `layout`, and counts nothing when all its bytes are zero.
namespace rondo::stats {

/// The size tells versions apart too, should somebody forget the number.
template <class Figures>
inline constexpr std::uint32_t layout_mark =
    (Figures::layout_version << 24) ^ static_cast<std::uint32_t>(sizeof(Figures));

template <class Figures>
[[nodiscard]] bool fits_in(std::span<const std::byte> memory) noexcept {
    return memory.size() >= sizeof(Figures) && reinterpret_cast<std::uintptr_t>(memory.data()) % alignof(Figures) == 0;
}

/// Those in this memory, whose bytes are zero or those of an earlier process. What another version of Rondo left there
/// is wiped. Throws std::invalid_argument when it is too small or not aligned.
template <class Figures>
[[nodiscard]] Figures& figures_in(std::span<std::byte> memory) {
    if (!fits_in<Figures>(memory)) throw std::invalid_argument("the memory for figures is too small or not aligned");
    auto& there = *std::launder(reinterpret_cast<Figures*>(memory.data()));
    const std::uint32_t found = there.layout.load(std::memory_order_acquire);
    if (found != 0 && found != layout_mark<Figures>) std::memset(static_cast<void*>(memory.data()), 0, sizeof(Figures));
    there.layout.store(layout_mark<Figures>, std::memory_order_release);
    return there;
}

/// The same for who only reads: null when nobody has counted there, or another version.
template <class Figures>
[[nodiscard]] const Figures* look_at_figures(std::span<const std::byte> memory) noexcept {
    if (!fits_in<Figures>(memory)) return nullptr;
    const auto& there = *std::launder(reinterpret_cast<const Figures*>(memory.data()));
    return there.layout.load(std::memory_order_acquire) == layout_mark<Figures> ? &there : nullptr;
}

}  // namespace rondo::stats
