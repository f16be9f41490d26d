// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/frame_memory.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace rondo {
namespace {

constexpr std::size_t rounded(std::size_t size) {
    return (size + frame_memory::size_step - 1) / frame_memory::size_step * frame_memory::size_step;
}

// Under AddressSanitizer nothing is cached.
bool is_caching() {
    frame_memory::trim();
    frame_memory::deallocate(frame_memory::allocate(64), 64);
    return frame_memory::cached_bytes() > 0;
}

TEST(FrameMemory, allocates_every_size) {
    struct piece {
        void* memory;
        std::size_t size;
    };
    std::vector<piece> pieces;
    for (std::size_t size : {0u, 1u, 63u, 64u, 65u, 4095u, 4096u, 4097u, 100'000u}) {
        void* p = frame_memory::allocate(size);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(p) % alignof(std::max_align_t), 0u);
        std::memset(p, 1, size);
        pieces.push_back({p, size});
    }
    for (auto [memory, size] : pieces) frame_memory::deallocate(memory, size);
}

TEST(FrameMemory, reuses_freed_memory) {
    if (!is_caching()) GTEST_SKIP() << "every call goes to the heap";
    frame_memory::trim();
    EXPECT_EQ(frame_memory::cached_bytes(), 0u);
    void* a = frame_memory::allocate(100);
    frame_memory::deallocate(a, 100);
    EXPECT_EQ(frame_memory::cached_bytes(), rounded(100));
    void* b = frame_memory::allocate(rounded(100));
    EXPECT_EQ(a, b);
    EXPECT_EQ(frame_memory::cached_bytes(), 0u);
    frame_memory::deallocate(b, rounded(100));
    frame_memory::trim();
    EXPECT_EQ(frame_memory::cached_bytes(), 0u);
}

TEST(FrameMemory, caches_no_large_blocks_and_a_bounded_total) {
    frame_memory::trim();
    frame_memory::deallocate(frame_memory::allocate(frame_memory::max_block_size + 1),
                             frame_memory::max_block_size + 1);
    EXPECT_EQ(frame_memory::cached_bytes(), 0u);
    std::vector<void*> pieces;
    std::size_t count = frame_memory::max_cached_bytes / frame_memory::max_block_size + 100;
    for (std::size_t i = 0; i < count; ++i) pieces.push_back(frame_memory::allocate(frame_memory::max_block_size));
    for (void* p : pieces) frame_memory::deallocate(p, frame_memory::max_block_size);
    EXPECT_LE(frame_memory::cached_bytes(), frame_memory::max_cached_bytes);
    frame_memory::trim();
}

TEST(FrameMemory, is_reused_by_the_thread_that_freed_it) {
    bool caches = is_caching();
    void* p = frame_memory::allocate(200);
    std::memset(p, 1, 200);
    std::jthread([&] {
        frame_memory::deallocate(p, 200);
        EXPECT_EQ(frame_memory::cached_bytes(), caches ? rounded(200) : 0u);
        if (caches) {
            EXPECT_EQ(frame_memory::allocate(200), p);
            frame_memory::deallocate(p, 200);
        }
    }).join();
}

struct frees_at_thread_exit {
    void* memory = nullptr;
    ~frees_at_thread_exit() {
        if (memory) frame_memory::deallocate(memory, 300);
        frame_memory::deallocate(frame_memory::allocate(300), 300);
    }
};

// Fails only by a crash or a sanitizer report.
TEST(FrameMemory, works_during_thread_exit) {
    std::jthread([] {
        thread_local frees_at_thread_exit last;
        last.memory = frame_memory::allocate(300);
    }).join();
    std::jthread([] {
        void* first = frame_memory::allocate(300);
        thread_local frees_at_thread_exit last;
        last.memory = first;
    }).join();
}

}  // namespace
}  // namespace rondo
