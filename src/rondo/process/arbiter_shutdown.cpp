// SPDX-License-Identifier: Apache-2.0
// Shutdown of the arbiter: refuse new connections, serve the backlogs, terminate the children, close the listeners.

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/process/arbiter_state.hpp>

namespace rondo::process {

using namespace std::chrono_literals;

namespace {

constexpr auto max_backlog_wait = 2s;  // for the backlogs to be served: the children may hang

}  // namespace

// Only for groups that stop first: the admin listener answers until the end.
void arbiter::state::refuse_new_connections() {
    for (const managed_listener& s : children.listeners())
        if (children.stops_first(s.group)) refuse_new(s);
}

std::size_t arbiter::state::pending_connections() const {
    std::size_t n = 0;
    for (const managed_listener& s : children.listeners())
        if (!s.externally_owned && children.stops_first(s.group)) n += backlog_length(s.fd.value());
    return n;
}

void arbiter::state::on_terminate(instant now) {
    if (children.is_shutting_down()) {
        log::info("second signal: aborting requests in flight");
        return children.shut_down(true, now);
    }
    if (refusing_since != instant::max()) return;
    log::info(fmt::format("shutting down {} processes", children.size()));
    running_check.reset();
    if (new_arbiter) systemd.set_main_process(new_arbiter);
    else if (!old_arbiter) systemd.stopping();
    if (shares_listeners()) return children.shut_down(false, now);
    refuse_new_connections();
    refusing_since = now;
}

void arbiter::state::on_quick_shutdown(instant now) {
    if (!children.is_shutting_down()) {
        log::info(fmt::format("shutting down {} processes quickly", children.size()));
        running_check.reset();
        if (!shares_listeners()) {
            systemd.stopping();
            refuse_new_connections();
        }
    }
    children.shut_down(true, now);
}

// New connections were refused before; now the children serve the backlogs, are then terminated, and the listeners are
// closed when no child accepts any more.
void arbiter::state::check_backlogs(instant now) {
    if (refusing_since != instant::max() && !children.is_shutting_down()) {
        std::size_t pending = pending_connections();
        if (now - refusing_since < half_open_time || (pending > 0 && now - refusing_since < max_backlog_wait)) return;
        if (pending > 0) log::warning(fmt::format("{} connections are still waiting to be accepted", pending));
        children.shut_down(false, now);
    }
    if (!children.is_shutting_down()) return;
    refusing_since = instant::max();
    close_unused_listeners();
}

void arbiter::state::close_unused_listeners() {
    std::erase_if(children.listeners(), [this](const managed_listener& s) {
        if (children.is_accepting(s.group)) return false;
        if (!shares_listeners() && !children.stops_first(s.group)) refuse_new(s);
        return true;
    });
}

void arbiter::state::finish() {
    close_unused_listeners();
    close_retired_listeners();
    own_pid_file.remove();
    log::info("shutdown complete");
    log::flush();
}

}  // namespace rondo::process
