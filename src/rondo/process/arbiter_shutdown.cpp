// SPDX-License-Identifier: Apache-2.0
// Shutdown of the arbiter: refuse new connections, serve the backlogs, terminate the children, close the listeners.

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/process/arbiter_state.hpp>

namespace rondo::process {

using namespace std::chrono_literals;

namespace {

constexpr auto longest_wait = 2s;  // for the backlogs to be served: the children may hang

}  // namespace

// Only for groups that stop first: the admin listener answers until the end.
void arbiter::state::turn_clients_away() {
    for (const kept_socket& s : children.sockets())
        if (children.ends_first(s.group)) turn_away(s);
}

std::size_t arbiter::state::clients_waiting() const {
    std::size_t n = 0;
    for (const kept_socket& s : children.sockets())
        if (!s.foreign && children.ends_first(s.group)) n += waiting_at(s.fd.value());
    return n;
}

void arbiter::state::on_terminate(instant now) {
    if (children.ending()) {
        log::info("second signal: aborting requests in flight");
        return children.end(true, now);
    }
    if (queues_since != instant::max()) return;
    log::info(fmt::format("shutting down {} processes", children.size()));
    trial.reset();
    if (beside) service.main_process(beside);
    else if (!predecessor) service.stopping();
    if (shares_sockets()) return children.end(false, now);
    turn_clients_away();
    queues_since = now;
}

void arbiter::state::on_quick_end(instant now) {
    if (!children.ending()) {
        log::info(fmt::format("shutting down {} processes quickly", children.size()));
        trial.reset();
        if (!shares_sockets()) {
            service.stopping();
            turn_clients_away();
        }
    }
    children.end(true, now);
}

// New connections were refused before; now the children serve the backlogs, are then terminated, and the listeners are
// closed when no child accepts any more.
void arbiter::state::look_at_queues(instant now) {
    if (queues_since != instant::max() && !children.ending()) {
        std::size_t pending = clients_waiting();
        if (now - queues_since < half_open_time || (pending > 0 && now - queues_since < longest_wait)) return;
        if (pending > 0) log::warning(fmt::format("{} connections are still waiting to be accepted", pending));
        children.end(false, now);
    }
    if (!children.ending()) return;
    queues_since = instant::max();
    close_unused_sockets();
}

void arbiter::state::close_unused_sockets() {
    std::erase_if(children.sockets(), [this](const kept_socket& s) {
        if (children.accepts(s.group)) return false;
        if (!shares_sockets() && !children.ends_first(s.group)) turn_away(s);
        return true;
    });
}

void arbiter::state::finish() {
    close_unused_sockets();
    close_retired();
    pid.remove();
    log::info("shutdown complete");
    log::flush();
}

}  // namespace rondo::process
