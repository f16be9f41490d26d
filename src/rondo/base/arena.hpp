// SPDX-License-Identifier: Apache-2.0
// Bump allocator for memory that has the lifetime of one request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace rondo {

/// A bump allocator: allocations are freed all at once, and no destructors are run. Not thread-safe.
class arena {
public:
    arena() noexcept = default;
    /// Allocates first from memory that the arena does not own (the unused end of the block that holds the request).
    arena(char* memory, std::size_t size) noexcept : cursor_(memory), end_(memory + size) {}
    arena(const arena&) = delete;
    arena& operator=(const arena&) = delete;
    ~arena() { clear(); }

    /// Throws std::bad_alloc. `align` is a power of two, at most alignof(std::max_align_t).
    [[nodiscard]] void* allocate(std::size_t size, std::size_t align = alignof(std::max_align_t)) {
        const auto end = reinterpret_cast<std::uintptr_t>(end_);
        const auto start = (reinterpret_cast<std::uintptr_t>(cursor_) + align - 1) & ~(align - 1);
        if (cursor_ == nullptr || start > end || size > end - start) return allocate_block(size);
        cursor_ = reinterpret_cast<char*>(start + size);
        return reinterpret_cast<void*>(start);
    }

    /// Returns a copy of `text` that is valid as long as the arena.
    [[nodiscard]] std::string_view copy(std::string_view text) {
        if (text.empty()) return {};
        auto* to = static_cast<char*>(allocate(text.size(), 1));
        std::memcpy(to, text.data(), text.size());
        return {to, text.size()};
    }

    /// Frees every block; the memory passed to the constructor is not used again.
    void clear() noexcept;

private:
    struct block {
        block* next;
        std::size_t size;
    };
    [[nodiscard]] void* allocate_block(std::size_t size);

    char* cursor_ = nullptr;
    char* end_ = nullptr;
    block* blocks_ = nullptr;
};

}  // namespace rondo
