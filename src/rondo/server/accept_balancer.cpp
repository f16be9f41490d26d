// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/accept_balancer.hpp>

#include <algorithm>
#include <cstdint>

#include <signal.h>

#include <rondo/loop/thread_pool.hpp>

namespace rondo::server {

namespace {

constexpr auto stall_threshold = std::chrono::milliseconds(100);
constexpr auto heartbeat_threshold = std::chrono::seconds(2);  // four heartbeats

bool is_serving(const process::slot_control& c) noexcept {
    return c.pid.load(std::memory_order_relaxed) &&
           c.state.load(std::memory_order_relaxed) == process::child_state::serving;
}

// As of its last heartbeat, which is sent twice a second: a turn that had just started then may be over by now.
bool is_stalled(const process::slot_control& c, instant now) noexcept {
    const std::chrono::nanoseconds heartbeat(c.heartbeat_ns.load(std::memory_order_relaxed));
    const std::chrono::nanoseconds turn(c.turn_started_ns.load(std::memory_order_relaxed));
    if (heartbeat.count() && now.time_since_epoch() - heartbeat > heartbeat_threshold) return true;
    if (turn.count() && heartbeat - turn > stall_threshold) return true;
    return c.views_stalled.load(std::memory_order_relaxed) != 0;
}

}  // namespace

void accept_balancer::publish_stall(instant now) noexcept {
    slots_.control(own_slot_).views_stalled.store(has_stalled_views(now), std::memory_order_relaxed);
}

bool accept_balancer::has_stalled_views(instant now) const noexcept {
    return view_pool_ && view_pool_->busy_for(now) > stall_threshold;
}

bool accept_balancer::is_alone() const noexcept {
    if (slots_.target() > 1) return false;
    for (std::size_t i = 0; i < slots_.high_water_mark(); ++i)
        if (i != own_slot_ && is_serving(slots_.control(i))) return false;
    return true;
}

const process::slot_control* accept_balancer::least_loaded(instant now) const noexcept {
    const process::slot_control* found = nullptr;
    std::uint32_t fewest = UINT32_MAX;
    for (std::size_t i = 0; i < slots_.high_water_mark(); ++i) {
        const process::slot_control& c = slots_.control(i);
        const std::uint32_t connections = c.connections.load(std::memory_order_relaxed);
        if (i == own_slot_ || connections >= fewest || !is_serving(c) || is_stalled(c, now)) continue;
        found = &c;
        fewest = connections;
    }
    return found;
}

bool accept_balancer::has_fair_share(instant now) const noexcept {
    const process::slot_control* other = least_loaded(now);
    if (!other) return false;
    const std::uint32_t fewest = other->connections.load(std::memory_order_relaxed);
    const std::uint32_t margin = std::max<std::uint32_t>(2, fewest / 8);
    return slots_.control(own_slot_).connections.load(std::memory_order_relaxed) > fewest + margin;
}

void accept_balancer::wake_next(instant now) const noexcept {
    const process::slot_control* other = least_loaded(now);
    const std::int32_t pid = other ? other->pid.load(std::memory_order_relaxed) : 0;
    if (pid > 0) ::kill(pid, SIGWINCH);
}

bool accept_balancer::is_blocked(instant now) const noexcept { return has_stalled_views(now) && least_loaded(now); }

}  // namespace rondo::server
