// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/child.hpp>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <unistd.h>

#include <rondo/base/clock.hpp>

namespace rondo::process {

child::child(std::string group, std::size_t slot, unsigned generation, const std::vector<table_entry>& tables,
             std::vector<kept_socket> listeners, int wakeup_fd, unique_fd command_fd)
    : group_(std::move(group)),
      slot_(slot),
      generation_(generation),
      tables_(tables),
      table_(slots_of(group_)),
      sockets_(std::move(listeners)),
      notify_(wakeup_fd),
      orders_(std::move(command_fd)) {}

std::string child::name() const { return group_ + " " + std::to_string(slot_); }

const slot_table* child::slots_of(std::string_view group) const noexcept {
    auto found = std::ranges::find(tables_, group, &table_entry::group);
    return found == tables_.end() ? nullptr : found->table;
}

int child::tell(const order& command) noexcept { return orders_ ? send(orders_.value(), command) : EPERM; }

void child::ready() noexcept {
    control().at = life::serving;
    notify();
}

void child::draining() noexcept {
    control().at = life::draining;
    notify();
}

void child::beat(std::int64_t turn_started_ns) noexcept {
    slot_control& c = control();
    c.turn_began_ns.store(turn_started_ns, std::memory_order_relaxed);
    c.beat_ns.store(clock::now().time_since_epoch().count(), std::memory_order_relaxed);
}

void child::ask_for_replacement(wish why) noexcept {
    control().asks = why;
    notify();
}

bool child::stacks_wanted() const noexcept { return control().stacks_wanted != control().stacks_told; }

void child::stacks_told() noexcept {
    control().stacks_told = control().stacks_wanted.load();
    notify();
}

void child::notify() noexcept {
    std::uint64_t one = 1;
    [[maybe_unused]] ssize_t n = write(notify_, &one, sizeof one);
}

}  // namespace rondo::process
