// SPDX-License-Identifier: Apache-2.0
// The part of an arbiter that ends it.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/process/arbiter_state.hpp>

namespace rondo::process {

using namespace std::chrono_literals;

namespace {

constexpr auto half_open_time = 20ms;  // for handshakes that are under way
constexpr auto longest_wait = 2s;      // for queues to be emptied: the children may hang

std::size_t waiting(const std::vector<kept_socket>& sockets) {
    return std::accumulate(sockets.begin(), sockets.end(), std::size_t{0}, [](std::size_t n, const kept_socket& s) {
        return s.foreign ? n : n + waiting_at(s.fd.value());
    });
}

}  // namespace

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
    for (const kept_socket& s : children.sockets()) turn_away(s);
    queues_since = now;
}

void arbiter::state::on_quick_end(instant now) {
    if (!children.ending()) {
        log::info(fmt::format("asked to end quickly: {} processes", children.size()));
        trial.reset();
        if (!shares_sockets()) {
            service.stopping();
            for (const kept_socket& s : children.sockets()) turn_away(s);
        }
    }
    children.end(true, now);
}

// First nobody can begin to connect, then the queues are emptied by those who serve, then they are told to end, and
// only when they accept no more the sockets are closed.
void arbiter::state::look_at_queues(instant now) {
    if (queues_since != instant::max() && !children.ending()) {
        std::size_t left_over = waiting(children.sockets());
        if (now - queues_since < half_open_time || (left_over > 0 && now - queues_since < longest_wait)) return;
        if (left_over > 0) log::warning(fmt::format("{} connections still wait to be accepted", left_over));
        children.end(false, now);
    }
    if (!children.ending() || children.sockets().empty() || !children.nobody_accepts()) return;
    queues_since = instant::max();
    children.sockets().clear();
}

void arbiter::state::finish() {
    children.sockets().clear();
    retired.clear();
    pid.remove();
    log::info("ended");
    log::flush();
}

}  // namespace rondo::process
