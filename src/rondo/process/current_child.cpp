// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/current_child.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <unistd.h>

#include <rondo/base/clock.hpp>

namespace rondo::process {

child::child(std::string group, std::size_t slot, unsigned generation, const std::vector<table_entry>& tables,
             std::vector<managed_listener> listeners, int wakeup_fd, unique_fd command_fd)
    : group_(std::move(group)),
      slot_(slot),
      generation_(generation),
      tables_(tables),
      table_(slots_of(group_)),
      listeners_(std::move(listeners)),
      wakeup_fd_(wakeup_fd),
      command_fd_(std::move(command_fd)) {}

std::string child::name() const { return group_ + " " + std::to_string(slot_); }

const slot_table* child::slots_of(std::string_view group) const noexcept {
    auto found = std::ranges::find(tables_, group, &table_entry::group);
    return found == tables_.end() ? nullptr : found->table;
}

int child::send_command(const control_command& command) noexcept {
    return command_fd_ ? send(command_fd_.value(), command) : EPERM;
}

void child::set_ready() noexcept {
    control().state = child_state::serving;
    wake_arbiter();
}

void child::set_draining() noexcept {
    control().state = child_state::draining;
    wake_arbiter();
}

void child::heartbeat(std::int64_t turn_started_ns) noexcept {
    slot_control& c = control();
    c.turn_started_ns.store(turn_started_ns, std::memory_order_relaxed);
    c.heartbeat_ns.store(clock::now().time_since_epoch().count(), std::memory_order_relaxed);
}

void child::request_recycling(recycle_reason reason) noexcept {
    control().recycle_requested = reason;
    wake_arbiter();
}

bool child::is_stack_dump_requested() const noexcept {
    return control().stack_dumps_requested != control().stack_dumps_done;
}

void child::set_stack_dump_done() noexcept {
    control().stack_dumps_done = control().stack_dumps_requested.load();
    wake_arbiter();
}

void child::wake_arbiter() noexcept {
    std::uint64_t increment = 1;
    [[maybe_unused]] ssize_t n = write(wakeup_fd_, &increment, sizeof increment);
}

}  // namespace rondo::process
