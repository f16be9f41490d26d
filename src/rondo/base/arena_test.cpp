// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/arena.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/base/frame_memory.hpp>

namespace rondo {
namespace {

bool is_aligned(const void* p, std::size_t align) { return reinterpret_cast<std::uintptr_t>(p) % align == 0; }

TEST(Arena, allocations_do_not_overlap_and_are_aligned) {
    arena a;
    std::vector<unsigned char*> pieces;
    for (std::size_t size = 1; size < 600; size += 7) {
        std::size_t align = std::size_t{1} << (size % 5);
        auto* p = static_cast<unsigned char*>(a.allocate(size, align));
        EXPECT_TRUE(is_aligned(p, align));
        std::memset(p, static_cast<int>(size & 0xff), size);
        pieces.push_back(p);
    }
    std::size_t size = 1;
    for (unsigned char* p : pieces) {
        EXPECT_EQ(p[0], size & 0xff);
        EXPECT_EQ(p[size - 1], size & 0xff);
        size += 7;
    }
}

TEST(Arena, uses_the_initial_memory_first) {
    alignas(std::max_align_t) std::array<char, 64> first;
    arena a(first.data(), first.size());
    EXPECT_EQ(a.allocate(48), first.data());
    EXPECT_EQ(a.allocate(16), first.data() + 48);
    char* beyond = static_cast<char*>(a.allocate(1));
    EXPECT_TRUE(beyond < first.data() || beyond >= first.data() + first.size());
}

TEST(Arena, copies_text) {
    arena a;
    std::string text(5000, 'x');
    std::string_view large = a.copy(text);
    std::string_view small = a.copy("small");
    text.assign(5000, 'y');
    EXPECT_EQ(large, std::string(5000, 'x'));
    EXPECT_EQ(small, "small");
    EXPECT_TRUE(a.copy("").empty());
}

TEST(Arena, is_reusable_after_clear) {
    arena a;
    for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(a.copy("again"), "again");
        std::memset(a.allocate(10'000), 1, 10'000);
        a.clear();
    }
}

TEST(Arena, frees_its_blocks) {
    {
        arena warm_up;
        (void)warm_up.allocate(100);
    }
    std::size_t before = frame_memory::cached_bytes();
    {
        arena a;
        (void)a.allocate(100);
    }
    EXPECT_EQ(frame_memory::cached_bytes(), before);
}

TEST(Arena, rejects_a_size_beyond_the_address_space) {
    arena a;
    (void)a.allocate(1);
    EXPECT_THROW((void)a.allocate(SIZE_MAX), std::bad_alloc);
    EXPECT_THROW((void)a.allocate(SIZE_MAX - 8), std::bad_alloc);
    EXPECT_THROW((void)a.allocate(SIZE_MAX / 2 + 1), std::bad_alloc);
    EXPECT_EQ(a.copy("still"), "still");
}

}  // namespace
}  // namespace rondo
