// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/arbiter_backend.hpp>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <rondo/web/isolated/processes.hpp>

namespace rondo::admin {

namespace {

const process::slot_table& slot_table_of(const process::child& self, const std::string& group) {
    const process::slot_table* table = self.slots_of(group);
    if (table == nullptr) throw std::logic_error("unknown process group " + group);
    return *table;
}

}  // namespace

arbiter_backend::arbiter_backend(process::child& self, const std::string& workers)
    : self_(self), slots_(slot_table_of(self, workers)) {}

std::vector<worker_source> arbiter_backend::workers() {
    std::vector<worker_source> sources;
    for (std::size_t i = 0; i < slots_.high_water_mark(); ++i) {
        const process::slot_control& c = slots_.control(i);
        worker_source w;
        w.name = std::to_string(i);
        w.counters = stats::worker_stats::attach_read_only(slots_.memory(i));
        w.pid = c.pid.load(std::memory_order_relaxed);
        w.alive = w.pid > 0;
        if (w.alive) w.resident_bytes = resident_bytes(w.pid);
        w.turn_started_ns = c.turn_started_ns.load(std::memory_order_relaxed);
        if (w.alive || w.counters != nullptr) sources.push_back(std::move(w));
    }
    return sources;
}

std::vector<compute_source> arbiter_backend::compute_processes() {
    std::vector<compute_source> sources;
    for (const process::child::table_entry& entry : self_.tables()) {
        if (!entry.group.starts_with(compute::group_prefix)) continue;
        for (std::size_t i = 0; i < entry.table->high_water_mark(); ++i) {
            const process::slot_control& c = entry.table->control(i);
            const process::child_state state = c.state.load(std::memory_order_relaxed);
            compute_source s;
            s.group = entry.group.substr(compute::group_prefix.size());
            s.name = std::to_string(i);
            s.counters = stats::compute_stats::attach_read_only(entry.table->memory(i));
            s.pid = c.pid.load(std::memory_order_relaxed);
            s.alive = s.pid > 0;
            s.ready = state == process::child_state::serving;
            s.draining = state == process::child_state::draining;
            if (s.alive) s.resident_bytes = resident_bytes(s.pid);
            if (s.alive || s.counters != nullptr) sources.push_back(std::move(s));
        }
    }
    return sources;
}

std::string arbiter_backend::send(const process::control_command& command) {
    const int error = self_.send_command(command);
    if (error == 0) return {};
    if (error == EAGAIN) return "the arbiter is busy with an earlier command; try again";
    return "cannot send a command to the arbiter: " + std::generic_category().message(error);
}

std::string arbiter_backend::reload() { return send({process::control_command::kind::reload}); }
std::string arbiter_backend::drain() { return send({process::control_command::kind::shut_down}); }
std::string arbiter_backend::scale(std::size_t workers) {
    return send({process::control_command::kind::scale, workers});
}

}  // namespace rondo::admin
