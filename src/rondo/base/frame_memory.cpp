// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/frame_memory.hpp>

#include <array>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define RONDO_HEAP_ONLY 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RONDO_HEAP_ONLY 1
#endif
#endif

namespace rondo::frame_memory {

#ifndef RONDO_HEAP_ONLY
namespace {

struct free_block {
    free_block* next;
};

struct free_lists {
    std::array<free_block*, max_block_size / size_step> heads{};
    std::size_t bytes = 0;

    ~free_lists() { clear(); }

    void clear() noexcept {
        for (std::size_t i = 0; i < heads.size(); ++i) {
            while (free_block* piece = heads[i]) {
                heads[i] = piece->next;
                ::operator delete(piece, (i + 1) * size_step);
            }
        }
        bytes = 0;
    }
};

thread_local constinit free_lists* thread_lists = nullptr;

// Other thread_local destructors may still destroy frames: after this one ran, those go to the heap.
thread_local constinit bool lists_destroyed = false;

struct lists_owner {
    free_lists lists;
    lists_owner() { thread_lists = &lists; }
    ~lists_owner() {
        thread_lists = nullptr;
        lists_destroyed = true;
    }
};

[[gnu::noinline]] free_lists* create_lists() {
    if (lists_destroyed) return nullptr;
    thread_local lists_owner lists;
    return thread_lists = &lists.lists;
}

free_lists* get_lists() { return thread_lists ? thread_lists : create_lists(); }

constexpr std::size_t size_class_index(std::size_t size) { return (size - 1) / size_step; }

}  // namespace

void* allocate(std::size_t size) {
    if (size > max_block_size || size == 0) return ::operator new(size);
    std::size_t index = size_class_index(size);
    if (free_lists* l = get_lists()) {
        if (free_block* piece = l->heads[index]) {
            l->heads[index] = piece->next;
            l->bytes -= (index + 1) * size_step;
            return piece;
        }
    }
    return ::operator new((index + 1) * size_step);
}

void deallocate(void* memory, std::size_t size) noexcept {
    if (size > max_block_size || size == 0) return ::operator delete(memory, size);
    std::size_t index = size_class_index(size);
    free_lists* l = get_lists();
    if (!l || l->bytes >= max_cached_bytes) return ::operator delete(memory, (index + 1) * size_step);
    auto* piece = static_cast<free_block*>(memory);
    piece->next = l->heads[index];
    l->heads[index] = piece;
    l->bytes += (index + 1) * size_step;
}

void trim() noexcept {
    if (thread_lists) thread_lists->clear();
}

std::size_t cached_bytes() noexcept { return thread_lists ? thread_lists->bytes : 0; }

#else

void* allocate(std::size_t size) { return ::operator new(size); }
void deallocate(void* memory, std::size_t size) noexcept { ::operator delete(memory, size); }
void trim() noexcept {}
std::size_t cached_bytes() noexcept { return 0; }

#endif

}  // namespace rondo::frame_memory
