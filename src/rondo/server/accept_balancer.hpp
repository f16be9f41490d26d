// SPDX-License-Identifier: Apache-2.0
// Balances accepted connections over the processes that share a listening socket.
#pragma once

#include <cstddef>

#include <rondo/base/clock.hpp>
#include <rondo/process/slot_table.hpp>

namespace rondo {
class thread_pool;
}

namespace rondo::server {

/// Decides which of the processes that share the listeners accepts the next connection. Each process publishes its
/// connection count in shared memory. Loop thread only.
class accept_balancer {
public:
    /// The other processes are the serving slots of `slots` except `own_slot`. `views`: the pool that runs all requests
    /// of this process, if there is one. Both must outlive this object.
    accept_balancer(const process::slot_table& slots, std::size_t own_slot, const thread_pool* views = nullptr) noexcept
        : slots_(slots), own_slot_(own_slot), view_pool_(views) {}

    void publish_connections(std::size_t connections) noexcept {
        slots_.control(own_slot_).connections.store(static_cast<std::uint32_t>(connections), std::memory_order_relaxed);
    }
    /// Publishes whether the view threads are stalled. Called periodically.
    void publish_stall(instant now) noexcept;
    /// True when no other process serves or is about to.
    [[nodiscard]] bool is_alone() const noexcept;
    /// True when this process has clearly more connections than the least loaded one, which should accept the next.
    /// Processes whose loop or view threads are stalled do not count.
    [[nodiscard]] bool has_fair_share(instant now) const noexcept;
    /// True when all view threads of this process are stalled and another process is not: a connection accepted here
    /// would have to wait.
    [[nodiscard]] bool is_blocked(instant now) const noexcept;
    /// Wakes the least loaded process that is not stalled, to accept pending connections: sends it SIGWINCH, which is
    /// ignored by default. Any thread.
    void wake_next(instant now) const noexcept;

private:
    [[nodiscard]] bool has_stalled_views(instant now) const noexcept;
    /// The other process with the fewest connections that serves and is not stalled; null: none.
    [[nodiscard]] const process::slot_control* least_loaded(instant now) const noexcept;

    const process::slot_table& slots_;
    std::size_t own_slot_;
    const thread_pool* view_pool_;
};

}  // namespace rondo::server
