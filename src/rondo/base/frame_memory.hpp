// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace rondo::frame_memory {

/// Memory for coroutine frames and requests: free lists per thread by size, in steps of 16 bytes up to 4 KiB;
/// larger pieces come from operator new. A piece may be returned on another thread than the one that took it;
/// it then serves that thread. Each thread keeps at most `kept_bytes` unused.
/// Under AddressSanitizer every call goes to the heap, so that misuse is found.
inline constexpr std::size_t step = 16;
inline constexpr std::size_t largest = 4096;
inline constexpr std::size_t kept_bytes = 16u << 20;

/// Throws std::bad_alloc. Aligned for std::max_align_t.
[[nodiscard]] void* allocate(std::size_t size);

/// `size` is what was passed to allocate().
void deallocate(void* memory, std::size_t size) noexcept;

/// Returns what this thread keeps to the heap.
void trim() noexcept;

/// Bytes this thread keeps unused.
[[nodiscard]] std::size_t kept() noexcept;

}  // namespace rondo::frame_memory
