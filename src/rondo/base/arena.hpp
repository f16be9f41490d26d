// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace rondo {

/// Memory that lives as long as one request: pieces are taken and all go back at once. No destructors are run.
/// Not thread-safe.
class arena {
public:
    arena() noexcept = default;
    /// Starts with memory that somebody else owns (the rest of the block the request itself lies in).
    arena(char* first, std::size_t size) noexcept : at_(first), end_(first + size) {}
    arena(const arena&) = delete;
    arena& operator=(const arena&) = delete;
    ~arena() { clear(); }

    /// Throws std::bad_alloc. `align` is a power of two, at most alignof(std::max_align_t).
    [[nodiscard]] void* allocate(std::size_t size, std::size_t align = alignof(std::max_align_t)) {
        const auto end = reinterpret_cast<std::uintptr_t>(end_);
        const auto at = (reinterpret_cast<std::uintptr_t>(at_) + align - 1) & ~(align - 1);
        if (at_ == nullptr || at > end || size > end - at) return allocate_block(size);
        at_ = reinterpret_cast<char*>(at + size);
        return reinterpret_cast<void*>(at);
    }

    /// A copy of `text` that lives as long as the arena.
    [[nodiscard]] std::string_view copy(std::string_view text) {
        if (text.empty()) return {};
        auto* to = static_cast<char*>(allocate(text.size(), 1));
        std::memcpy(to, text.data(), text.size());
        return {to, text.size()};
    }

    /// Returns every block; the memory given to the constructor is not used again.
    void clear() noexcept;

private:
    struct block {
        block* next;
        std::size_t size;
    };
    [[nodiscard]] void* allocate_block(std::size_t size);

    char* at_ = nullptr;
    char* end_ = nullptr;
    block* blocks_ = nullptr;
};

}  // namespace rondo
