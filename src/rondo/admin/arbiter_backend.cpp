// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/arbiter_backend.hpp>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <rondo/web/isolated/processes.hpp>

namespace rondo::admin {

namespace {

const process::slot_table& table_of(const process::child& self, const std::string& group) {
    const process::slot_table* table = self.slots_of(group);
    if (table == nullptr) throw std::logic_error("unknown process group " + group);
    return *table;
}

}  // namespace

arbiter_operations::arbiter_operations(process::child& self, const std::string& workers)
    : self_(self), slots_(table_of(self, workers)) {}

std::vector<worker_source> arbiter_operations::workers() {
    std::vector<worker_source> all;
    for (std::size_t i = 0; i < slots_.used(); ++i) {
        const process::slot_control& c = slots_.control(i);
        worker_source w;
        w.name = std::to_string(i);
        w.figures = stats::statistics::look(slots_.memory(i));
        w.process = c.pid.load(std::memory_order_relaxed);
        w.alive = w.process > 0;
        if (w.alive) w.resident_bytes = resident_bytes(w.process);
        w.turn_began_ns = c.turn_began_ns.load(std::memory_order_relaxed);
        if (w.alive || w.figures != nullptr) all.push_back(std::move(w));
    }
    return all;
}

std::vector<compute_source> arbiter_operations::computers() {
    std::vector<compute_source> all;
    for (const process::child::table_entry& entry : self_.tables()) {
        if (!entry.group.starts_with(compute::group_prefix)) continue;
        for (std::size_t i = 0; i < entry.table->used(); ++i) {
            const process::slot_control& c = entry.table->control(i);
            const process::life state = c.at.load(std::memory_order_relaxed);
            compute_source s;
            s.group = entry.group.substr(compute::group_prefix.size());
            s.name = std::to_string(i);
            s.figures = stats::compute_figures::look(entry.table->memory(i));
            s.process = c.pid.load(std::memory_order_relaxed);
            s.alive = s.process > 0;
            s.ready = state == process::life::serving;
            s.ending = state == process::life::draining;
            if (s.alive) s.resident_bytes = resident_bytes(s.process);
            if (s.alive || s.figures != nullptr) all.push_back(std::move(s));
        }
    }
    return all;
}

std::string arbiter_operations::tell(const process::order& command) {
    const int error = self_.tell(command);
    if (error == 0) return {};
    if (error == EAGAIN) return "the arbiter is busy with an earlier command; try again";
    return "cannot send a command to the arbiter: " + std::generic_category().message(error);
}

std::string arbiter_operations::reload() { return tell({process::order::kind::reload}); }
std::string arbiter_operations::drain() { return tell({process::order::kind::end}); }
std::string arbiter_operations::scale(std::size_t workers) { return tell({process::order::kind::scale, workers}); }

}  // namespace rondo::admin
