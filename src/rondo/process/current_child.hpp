// SPDX-License-Identifier: Apache-2.0
// The child process's view of itself: its slot, its listeners and its channel to the arbiter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/process/control_command.hpp>
#include <rondo/process/managed_listener.hpp>
#include <rondo/process/slot_table.hpp>

namespace rondo::process {

/// Exit status of a child that could not start. On the first start the arbiter then shuts down.
inline constexpr int exit_not_started = 3;

/// A child process as seen from inside. Created by the arbiter in the child after the fork; exists as long as the
/// process. Everything except listeners() is thread-safe.
///
/// A child starts with one thread and with the arbiter's signals unblocked and at their default action, except those
/// without a meaning for a child (HUP, TTIN, TTOU, USR2, WINCH: ignored). TERM: finish running work and exit; INT and
/// QUIT: exit quickly; USR1: reopen the log files. The kernel kills the child when the arbiter dies.
class child {
public:
    struct table_entry {
        std::string group;
        const slot_table* table;
    };

    child(std::string group, std::size_t slot, unsigned generation, const std::vector<table_entry>& tables,
          std::vector<managed_listener> listeners, int wakeup_fd, unique_fd command_fd);
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    [[nodiscard]] const std::string& group() const noexcept { return group_; }
    /// Unique among the running children of the group. The next child in the slot finds the slot's memory unchanged.
    [[nodiscard]] std::size_t slot() const noexcept { return slot_; }
    /// Number of the program image that started this child, counted from 1.
    [[nodiscard]] unsigned generation() const noexcept { return generation_; }
    /// Group and slot: "worker 0".
    [[nodiscard]] std::string name() const;

    /// The listeners of the group. These are the child's own copies and may be moved from.
    [[nodiscard]] std::vector<managed_listener>& listeners() noexcept { return listeners_; }
    [[nodiscard]] std::span<std::byte> memory() const noexcept { return table_->memory(slot_); }
    [[nodiscard]] slot_control& control() const noexcept { return table_->control(slot_); }
    /// The slots of all children of this group.
    [[nodiscard]] const slot_table& slots() const noexcept { return *table_; }
    /// The slots of another group; null when no group has that name.
    [[nodiscard]] const slot_table* slots_of(std::string_view group) const noexcept;
    [[nodiscard]] const std::vector<table_entry>& tables() const noexcept { return tables_; }

    /// Sends a command to the arbiter, which executes it asynchronously. Returns 0 or an errno; EPERM when the group
    /// may not send commands.
    [[nodiscard]] int send_command(const control_command& command) noexcept;

    /// Reports that this child serves; the arbiter then terminates the children it replaces.
    void set_ready() noexcept;
    /// Reports that this child accepts no further connections.
    void set_draining() noexcept;
    /// Must be called at least once a second. `turn_started_ns`: start of the current loop turn, 0 while the loop
    /// waits. A child that never calls this after set_ready() is not monitored.
    void heartbeat(std::int64_t turn_started_ns) noexcept;
    /// For a child without a loop: counts as a heartbeat at `ns` (nanoseconds of rondo::clock), which may be in the
    /// future. A child that runs a job with a known deadline sets it in advance.
    void extend_heartbeat(std::int64_t ns) noexcept { control().heartbeat_ns.store(ns, std::memory_order_relaxed); }
    /// Requests a replacement: the arbiter terminates this child as soon as another one is ready.
    void request_recycling(recycle_reason reason) noexcept;
    /// True when the arbiter requests the thread stacks of this process before it kills it. Log them, then call
    /// set_stack_dump_done().
    [[nodiscard]] bool is_stack_dump_requested() const noexcept;
    void set_stack_dump_done() noexcept;

private:
    void wake_arbiter() noexcept;

    std::string group_;
    std::size_t slot_;
    unsigned generation_;
    std::vector<table_entry> tables_;
    const slot_table* table_;
    std::vector<managed_listener> listeners_;
    int wakeup_fd_;
    unique_fd command_fd_;
};

}  // namespace rondo::process
