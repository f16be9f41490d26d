// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/arena.hpp>

#include <algorithm>
#include <cstdint>
#include <new>

#include <rondo/base/frame_memory.hpp>

namespace rondo {

namespace {
constexpr std::size_t header_size = 16;
constexpr std::size_t block_size = 512;
}  // namespace

void* arena::allocate_block(std::size_t size) {
    static_assert(sizeof(block) <= header_size);
    if (size > PTRDIFF_MAX) throw std::bad_alloc();
    std::size_t total = std::max(block_size, size + header_size);
    auto* memory = static_cast<char*>(frame_memory::allocate(total));
    auto* header = reinterpret_cast<block*>(memory);
    header->next = blocks_;
    header->size = total;
    blocks_ = header;
    cursor_ = memory + header_size + size;
    end_ = memory + total;
    return memory + header_size;
}

void arena::clear() noexcept {
    while (blocks_) {
        block* next = blocks_->next;
        frame_memory::deallocate(blocks_, blocks_->size);
        blocks_ = next;
    }
    cursor_ = end_ = nullptr;
}

}  // namespace rondo
