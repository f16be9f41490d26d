// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/share.hpp>

#include <algorithm>
#include <cstdint>

namespace rondo::server {

namespace {

constexpr auto held_for_a_while = std::chrono::milliseconds(100);

bool serves(const process::slot_control& c) noexcept {
    return c.pid.load(std::memory_order_relaxed) && c.at.load(std::memory_order_relaxed) == process::life::serving;
}

bool is_held(const process::slot_control& c, instant now) noexcept {
    std::int64_t began = c.turn_began_ns.load(std::memory_order_relaxed);
    return began && now.time_since_epoch() - std::chrono::nanoseconds(began) > held_for_a_while;
}

}  // namespace

bool share::alone() const noexcept {
    if (all_.wanted() > 1) return false;
    for (std::size_t i = 0; i < all_.used(); ++i)
        if (i != own_ && serves(all_.control(i))) return false;
    return true;
}

bool share::has_enough(instant now) const noexcept {
    std::uint32_t least = UINT32_MAX;
    for (std::size_t i = 0; i < all_.used(); ++i) {
        const process::slot_control& c = all_.control(i);
        if (i != own_ && serves(c) && !is_held(c, now))
            least = std::min(least, c.connections.load(std::memory_order_relaxed));
    }
    if (least == UINT32_MAX) return false;
    std::uint32_t margin = std::max<std::uint32_t>(2, least / 8);
    return all_.control(own_).connections.load(std::memory_order_relaxed) > least + margin;
}

}  // namespace rondo::server
