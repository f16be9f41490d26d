// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/accept_balancer.hpp>

#include <algorithm>
#include <cstdint>

#include <signal.h>

#include <rondo/loop/pool.hpp>

namespace rondo::server {

namespace {

constexpr auto held_for_a_while = std::chrono::milliseconds(100);
constexpr auto stopped_for_a_while = std::chrono::seconds(2);  // four heartbeats

bool serves(const process::slot_control& c) noexcept {
    return c.pid.load(std::memory_order_relaxed) && c.at.load(std::memory_order_relaxed) == process::life::serving;
}

// As of its last heartbeat, which is sent twice a second: a turn that had just started then may be over by now.
bool is_held(const process::slot_control& c, instant now) noexcept {
    const std::chrono::nanoseconds beat(c.beat_ns.load(std::memory_order_relaxed));
    const std::chrono::nanoseconds turn(c.turn_began_ns.load(std::memory_order_relaxed));
    if (beat.count() && now.time_since_epoch() - beat > stopped_for_a_while) return true;
    if (turn.count() && beat - turn > held_for_a_while) return true;
    return c.views_held.load(std::memory_order_relaxed) != 0;
}

}  // namespace

void share::publish_views(instant now) noexcept {
    all_.control(own_).views_held.store(views_are_held(now), std::memory_order_relaxed);
}

bool share::views_are_held(instant now) const noexcept { return views_ && views_->held_for(now) > held_for_a_while; }

bool share::alone() const noexcept {
    if (all_.wanted() > 1) return false;
    for (std::size_t i = 0; i < all_.used(); ++i)
        if (i != own_ && serves(all_.control(i))) return false;
    return true;
}

const process::slot_control* share::least(instant now) const noexcept {
    const process::slot_control* found = nullptr;
    std::uint32_t fewest = UINT32_MAX;
    for (std::size_t i = 0; i < all_.used(); ++i) {
        const process::slot_control& c = all_.control(i);
        const std::uint32_t connections = c.connections.load(std::memory_order_relaxed);
        if (i == own_ || connections >= fewest || !serves(c) || is_held(c, now)) continue;
        found = &c;
        fewest = connections;
    }
    return found;
}

bool share::has_enough(instant now) const noexcept {
    const process::slot_control* other = least(now);
    if (!other) return false;
    const std::uint32_t fewest = other->connections.load(std::memory_order_relaxed);
    const std::uint32_t margin = std::max<std::uint32_t>(2, fewest / 8);
    return all_.control(own_).connections.load(std::memory_order_relaxed) > fewest + margin;
}

void share::call_another(instant now) const noexcept {
    const process::slot_control* other = least(now);
    const std::int32_t pid = other ? other->pid.load(std::memory_order_relaxed) : 0;
    if (pid > 0) ::kill(pid, SIGWINCH);
}

bool share::must_not(instant now) const noexcept { return views_are_held(now) && least(now); }

}  // namespace rondo::server
