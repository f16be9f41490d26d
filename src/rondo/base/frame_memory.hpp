// SPDX-License-Identifier: Apache-2.0
// Thread-local free lists for coroutine frames and requests.
#pragma once

#include <cstddef>

namespace rondo::frame_memory {

/// Memory for coroutine frames and requests: per-thread free lists in size classes of 16 bytes up to 4 KiB; larger
/// blocks come from operator new. A block may be freed on another thread than it was allocated on; that thread then
/// reuses it. Each thread caches at most `max_cached_bytes`.
/// Under AddressSanitizer every call goes to the heap, so that misuse is detected.
inline constexpr std::size_t size_step = 16;
inline constexpr std::size_t max_block_size = 4096;
inline constexpr std::size_t max_cached_bytes = 16u << 20;

/// Throws std::bad_alloc. Aligned for std::max_align_t.
[[nodiscard]] void* allocate(std::size_t size);

/// `size` must be the size passed to allocate().
void deallocate(void* memory, std::size_t size) noexcept;

/// Frees the memory cached by the calling thread.
void trim() noexcept;

/// Unused bytes cached by the calling thread.
[[nodiscard]] std::size_t cached_bytes() noexcept;

}  // namespace rondo::frame_memory
