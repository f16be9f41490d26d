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

struct free_piece {
    free_piece* next;
};

struct free_lists {
    std::array<free_piece*, largest / step> heads{};
    std::size_t bytes = 0;

    ~free_lists() { clear(); }

    void clear() noexcept {
        for (std::size_t i = 0; i < heads.size(); ++i) {
            while (free_piece* piece = heads[i]) {
                heads[i] = piece->next;
                ::operator delete(piece, (i + 1) * step);
            }
        }
        bytes = 0;
    }
};

thread_local constinit free_lists* current = nullptr;

// Other thread_local destructors may still destroy frames: after this one ran, those go to the heap.
thread_local constinit bool ended = false;

struct owner {
    free_lists lists;
    owner() { current = &lists; }
    ~owner() {
        current = nullptr;
        ended = true;
    }
};

[[gnu::noinline]] free_lists* make_lists() {
    if (ended) return nullptr;
    thread_local owner lists;
    return current = &lists.lists;
}

free_lists* lists() { return current ? current : make_lists(); }

constexpr std::size_t index_of(std::size_t size) { return (size - 1) / step; }

}  // namespace

void* allocate(std::size_t size) {
    if (size > largest || size == 0) return ::operator new(size);
    std::size_t index = index_of(size);
    if (free_lists* l = lists()) {
        if (free_piece* piece = l->heads[index]) {
            l->heads[index] = piece->next;
            l->bytes -= (index + 1) * step;
            return piece;
        }
    }
    return ::operator new((index + 1) * step);
}

void deallocate(void* memory, std::size_t size) noexcept {
    if (size > largest || size == 0) return ::operator delete(memory, size);
    std::size_t index = index_of(size);
    free_lists* l = lists();
    if (!l || l->bytes >= kept_bytes) return ::operator delete(memory, (index + 1) * step);
    auto* piece = static_cast<free_piece*>(memory);
    piece->next = l->heads[index];
    l->heads[index] = piece;
    l->bytes += (index + 1) * step;
}

void trim() noexcept {
    if (current) current->clear();
}

std::size_t kept() noexcept { return current ? current->bytes : 0; }

#else

void* allocate(std::size_t size) { return ::operator new(size); }
void deallocate(void* memory, std::size_t size) noexcept { ::operator delete(memory, size); }
void trim() noexcept {}
std::size_t kept() noexcept { return 0; }

#endif

}  // namespace rondo::frame_memory
