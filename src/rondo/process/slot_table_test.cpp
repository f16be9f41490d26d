// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/slot_table.hpp>

#include <cstring>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/process/kept_socket.hpp>

namespace rondo::process {
namespace {

TEST(slot_tables, begin_empty) {
    slot_table t("test", 100);
    EXPECT_EQ(t.used(), 0u);
    EXPECT_EQ(t.unused(), 0u);
    EXPECT_EQ(t.memory(0).size(), 100u);
    EXPECT_EQ(t.control(3).at.load(), life::none);
    for (std::byte b : t.memory(7)) EXPECT_EQ(b, std::byte{0});
}

TEST(slot_tables, hand_out_the_lowest_slot_and_keep_its_memory) {
    slot_table t("test", 8);
    for (int pid : {101, 102, 103}) {
        auto slot = t.unused();
        ASSERT_TRUE(slot);
        t.take(*slot);
        t.control(*slot).pid = pid;
        EXPECT_EQ(t.control(*slot).at.load(), life::starting);
    }
    EXPECT_EQ(t.used(), 3u);
    t.memory(1)[0] = std::byte{42};
    t.control(1).connections = 5;
    t.release(1);
    EXPECT_EQ(t.control(1).connections.load(), 0u);
    EXPECT_EQ(t.unused(), 1u);
    t.take(1);
    EXPECT_EQ(t.memory(1)[0], std::byte{42});
    EXPECT_EQ(t.control(1).starts.load(), 2u);
    EXPECT_EQ(t.used(), 3u);
}

TEST(slot_tables, are_shared_with_processes_that_are_forked) {
    slot_table t("test", 64);
    pid_t child = fork();
    if (child == 0) {
        std::memcpy(t.memory(2).data(), "told", 4);
        t.control(2).connections = 9;
        _exit(0);
    }
    waitpid(child, nullptr, 0);
    EXPECT_EQ(std::memcmp(t.memory(2).data(), "told", 4), 0);
    EXPECT_EQ(t.control(2).connections.load(), 9u);
}

TEST(slot_tables, are_taken_over_when_they_are_laid_out_alike) {
    slot_table t("test", 5000);
    t.memory(3)[4999] = std::byte{7};
    t.take(3);
    auto same = slot_table::adopt(duplicate(t.fd()), 5000);
    ASSERT_TRUE(same);
    EXPECT_EQ(same->memory(3)[4999], std::byte{7});
    EXPECT_EQ(same->used(), 4u);
    EXPECT_FALSE(slot_table::adopt(duplicate(t.fd()), 100));
    EXPECT_FALSE(slot_table::adopt(duplicate(STDIN_FILENO), 5000));
}

TEST(slot_tables, keep_controls_on_lines_of_their_own) {
    slot_table t("test", 8);
    auto at = [&t](std::size_t i) { return reinterpret_cast<std::uintptr_t>(&t.control(i).connections); };
    EXPECT_EQ(at(0) % 64, 0u);
    EXPECT_GE(at(1) - at(0), 64u);
    EXPECT_NE(at(0) / 64, reinterpret_cast<std::uintptr_t>(&t.control(0).beat_ns) / 64);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.memory(1).data()) % 4096, 0u);
}

}  // namespace
}  // namespace rondo::process
