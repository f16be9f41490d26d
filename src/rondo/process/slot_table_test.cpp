// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/slot_table.hpp>

#include <csignal>
#include <cstring>
#include <functional>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/process/managed_listener.hpp>

namespace rondo::process {
namespace {

TEST(SlotTable, starts_empty) {
    slot_table t("test", 100);
    EXPECT_EQ(t.high_water_mark(), 0u);
    EXPECT_EQ(t.find_free(), 0u);
    EXPECT_EQ(t.memory(0).size(), 100u);
    EXPECT_EQ(t.control(3).state.load(), child_state::none);
    for (std::byte b : t.memory(7)) EXPECT_EQ(b, std::byte{0});
}

TEST(SlotTable, reuses_the_lowest_free_slot_and_keeps_its_memory) {
    slot_table t("test", 8);
    for (int pid : {101, 102, 103}) {
        auto slot = t.find_free();
        ASSERT_TRUE(slot);
        t.acquire(*slot);
        t.control(*slot).pid = pid;
        EXPECT_EQ(t.control(*slot).state.load(), child_state::starting);
    }
    EXPECT_EQ(t.high_water_mark(), 3u);
    t.memory(1)[0] = std::byte{42};
    t.control(1).connections = 5;
    t.release(1);
    EXPECT_EQ(t.control(1).connections.load(), 0u);
    EXPECT_EQ(t.find_free(), 1u);
    t.acquire(1);
    EXPECT_EQ(t.memory(1)[0], std::byte{42});
    EXPECT_EQ(t.control(1).starts.load(), 2u);
    EXPECT_EQ(t.high_water_mark(), 3u);
}

TEST(SlotTable, tracks_used_slots_whatever_children_write) {
    slot_table t("test", 8);
    t.acquire(0);
    t.control(0).pid = 0;
    t.control(1).pid = 4711;
    EXPECT_EQ(t.find_free(), 1u);
    t.mark_in_use(1);
    slot_table moved(std::move(t));
    EXPECT_EQ(moved.find_free(), 2u);
    moved.release(0);
    EXPECT_EQ(moved.find_free(), 0u);
}

TEST(SlotTable, is_shared_with_forked_processes) {
    slot_table t("test", 64);
    pid_t child = fork();
    if (child == 0) {
        std::memcpy(t.memory(2).data(), "sent", 4);
        t.control(2).connections = 9;
        _exit(0);
    }
    waitpid(child, nullptr, 0);
    EXPECT_EQ(std::memcmp(t.memory(2).data(), "sent", 4), 0);
    EXPECT_EQ(t.control(2).connections.load(), 9u);
}

TEST(SlotTable, is_adopted_when_the_layout_matches) {
    slot_table t("test", 5000);
    t.memory(3)[4999] = std::byte{7};
    t.acquire(3);
    auto same = slot_table::adopt(duplicate(t.fd()), 5000);
    ASSERT_TRUE(same);
    EXPECT_EQ(same->memory(3)[4999], std::byte{7});
    EXPECT_EQ(same->high_water_mark(), 4u);
    EXPECT_FALSE(slot_table::adopt(duplicate(t.fd()), 100));
    EXPECT_FALSE(slot_table::adopt(duplicate(STDIN_FILENO), 5000));
}

TEST(SlotTable, cannot_be_truncated_through_its_descriptor) {
    slot_table t("test", 5000);
    t.memory(511)[4999] = std::byte{7};
    const pid_t child = fork();
    if (child == 0) _exit(ftruncate(t.fd(), 0) == 0 || ftruncate(t.fd(), 1 << 30) == 0);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(t.memory(511)[4999], std::byte{7});
}

TEST(SlotTable, is_not_adopted_without_size_seals) {
    const slot_table t("test", 8);
    const unique_fd open(memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    const off_t size = lseek(t.fd(), 0, SEEK_END);
    ASSERT_EQ(ftruncate(open.value(), size), 0);
    off_t from = 0;
    ASSERT_GT(copy_file_range(t.fd(), &from, open.value(), nullptr, 4096, 0), 0);
    EXPECT_FALSE(slot_table::adopt(duplicate(open.value()), 8));
    ASSERT_EQ(fcntl(open.value(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    EXPECT_TRUE(slot_table::adopt(duplicate(open.value()), 8));
}

// The signal that killed the child, or its exit status.
int termination_signal(const std::function<void()>& in_child) {
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        in_child();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(SlotTable, restricts_a_child_to_its_slot) {
    slot_table t("test", 5000);
    for (std::size_t own : {0u, 40u, 511u}) {
        EXPECT_EQ(termination_signal([&] {
                      t.restrict_to(own);
                      t.control(own).connections = 9;
                      t.memory(own)[4999] = std::byte{9};
                      if (t.fd() >= 0) _exit(1);
                  }),
                  0);
        EXPECT_EQ(t.control(own).connections.load(), 9u);
        EXPECT_EQ(t.memory(own)[4999], std::byte{9});
        const auto forbidden = [&](const std::function<void()>& use) {
            return termination_signal([&] {
                t.restrict_to(own);
                use();
            });
        };
        EXPECT_EQ(forbidden([&] { t.set_target(1); }), SIGSEGV);
        EXPECT_EQ(forbidden([&] { t.control((own + 100) % 512).connections = 1; }), SIGSEGV);
        EXPECT_EQ(forbidden([&] { t.memory((own + 1) % 512)[0] = std::byte{1}; }), SIGSEGV);
    }
    EXPECT_EQ(t.target(), 0u);
}

TEST(SlotTable, aligns_connection_counts_to_cache_lines) {
    slot_table t("test", 8);
    auto at = [&t](std::size_t i) { return reinterpret_cast<std::uintptr_t>(&t.control(i).connections); };
    EXPECT_EQ(at(0) % 64, 0u);
    EXPECT_GE(at(1) - at(0), 64u);
    EXPECT_NE(at(0) / 64, reinterpret_cast<std::uintptr_t>(&t.control(0).heartbeat_ns) / 64);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.memory(1).data()) % 4096, 0u);
}

}  // namespace
}  // namespace rondo::process
