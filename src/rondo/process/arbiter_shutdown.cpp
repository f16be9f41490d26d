// SPDX-License-Identifier: Apache-2.0
// The part of an arbiter that ends it.

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/process/arbiter_state.hpp>

namespace rondo::process {

using namespace std::chrono_literals;

namespace {

constexpr auto longest_wait = 2s;  // for queues to be emptied: the children may hang

}  // namespace

// Of those whose children end first: who tells operators how it goes is asked until the end.
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
        log::info("asked again to end: what runs is cut off");
        return children.end(true, now);
    }
    if (queues_since != instant::max()) return;
    log::info(fmt::format("asked to end: {} processes", children.size()));
    trial.reset();
    if (beside) service.main_process(beside);
    else if (!predecessor) service.stopping();
    if (shares_sockets()) return children.end(false, now);
    turn_clients_away();
    queues_since = now;
}

void arbiter::state::on_quick_end(instant now) {
    if (!children.ending()) {
        log::info(fmt::format("asked to end quickly: {} processes", children.size()));
        trial.reset();
        if (!shares_sockets()) {
            service.stopping();
            turn_clients_away();
        }
    }
    children.end(true, now);
}

// First nobody can begin to connect, then the queues are emptied by those who serve, then they are told to end, and
// only when they accept no more the sockets are closed.
void arbiter::state::look_at_queues(instant now) {
    if (queues_since != instant::max() && !children.ending()) {
        std::size_t left_over = clients_waiting();
        if (now - queues_since < half_open_time || (left_over > 0 && now - queues_since < longest_wait)) return;
        if (left_over > 0) log::warning(fmt::format("{} connections still wait to be accepted", left_over));
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
    log::info("ended");
    log::flush();
}

}  // namespace rondo::process
