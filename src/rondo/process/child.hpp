// SPDX-License-Identifier: Apache-2.0
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

/// The exit status of a child that could not start: at the first start the arbiter then gives up.
inline constexpr int exit_not_started = 3;

/// What a child process knows of itself and of its arbiter. Made by the arbiter in the child, after the fork; lives as
/// long as the process. All but sockets() may be used on any thread.
///
/// A child begins with one thread, the signals of the arbiter unblocked and at their default action, except those
/// that mean nothing to a child (HUP, TTIN, TTOU, USR2, WINCH: ignored). TERM means: finish what runs and end; INT and
/// QUIT: end quickly; USR1: open the log files anew. It is killed when the arbiter is gone, whatever it does.
class child {
public:
    struct table_entry {
        std::string group;
        const slot_table* table;
    };

    child(std::string group, std::size_t slot, unsigned generation, const std::vector<table_entry>& tables,
          std::vector<kept_socket> sockets, int notify, unique_fd orders);
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    [[nodiscard]] const std::string& group() const noexcept { return group_; }
    /// A number that no other child of the group has at the same time; the next one to have it finds its memory.
    [[nodiscard]] std::size_t slot() const noexcept { return slot_; }
    /// How often the program was re-executed before this child was made, from 1.
    [[nodiscard]] unsigned generation() const noexcept { return generation_; }
    /// "worker 0": group and slot.
    [[nodiscard]] std::string name() const;

    /// The listening sockets of the group; the child's own copies, to be moved from.
    [[nodiscard]] std::vector<kept_socket>& sockets() noexcept { return sockets_; }
    [[nodiscard]] std::span<std::byte> memory() const noexcept { return table_->memory(slot_); }
    [[nodiscard]] slot_control& control() const noexcept { return table_->control(slot_); }
    /// Of all children of this group.
    [[nodiscard]] const slot_table& slots() const noexcept { return *table_; }
    /// Of another group; null when there is none of that name.
    [[nodiscard]] const slot_table* slots_of(std::string_view group) const noexcept;
    [[nodiscard]] const std::vector<table_entry>& tables() const noexcept { return tables_; }

    /// Gives the arbiter an order, which it carries out soon: 0, or the errno for which it cannot be told. EPERM when
    /// the group does not command.
    [[nodiscard]] int tell(const order& what) noexcept;

    /// It serves: those that it replaces are told to end.
    void ready() noexcept;
    /// It accepts nothing more.
    void draining() noexcept;
    /// A sign of life, to be given at least every second. `turn_began_ns`: since when its loop does one thing, 0 when
    /// it waits. A child that never calls this after ready() is not watched.
    void beat(std::int64_t turn_began_ns) noexcept;
    /// The same for a child without a loop: a sign of life that holds until then, in nanoseconds of rondo::clock. One
    /// that does a job of which it is known when it ends at the latest may say so in advance.
    void lives_until(std::int64_t ns) noexcept { control().beat_ns.store(ns, std::memory_order_relaxed); }
    /// It wants to end as soon as another one is ready.
    void ask_for_replacement(wish why) noexcept;
    /// True when the arbiter wants to see the stacks of this process before it kills it; say stacks_told() then.
    [[nodiscard]] bool stacks_wanted() const noexcept;
    void stacks_told() noexcept;

private:
    void notify() noexcept;

    std::string group_;
    std::size_t slot_;
    unsigned generation_;
    std::vector<table_entry> tables_;
    const slot_table* table_;
    std::vector<kept_socket> sockets_;
    int notify_;
    unique_fd orders_;
};

}  // namespace rondo::process
