// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include <rondo/base/clock.hpp>
#include <rondo/process/slot_table.hpp>

namespace rondo::server {

/// How many connections the processes have that accept from the same sockets, so that each takes its share. Each
/// publishes its own number in memory that all read. Loop thread only.
class share {
public:
    /// The others are those of `all` that serve; it must outlive this.
    share(const process::slot_table& all, std::size_t own) noexcept : all_(all), own_(own) {}

    void publish(std::size_t connections) noexcept {
        all_.control(own_).connections.store(static_cast<std::uint32_t>(connections), std::memory_order_relaxed);
    }
    /// Nobody else serves, nor is about to.
    [[nodiscard]] bool alone() const noexcept;
    /// This process has clearly more than the one with the fewest: another one is to take the next connection. Those
    /// whose loop has been held for a while are left out of account.
    [[nodiscard]] bool has_enough(instant now) const noexcept;
    /// Asks the one with the fewest, of those that are not held, to look for connections that wait: sends it SIGWINCH,
    /// which a process that does not expect it ignores. Any thread.
    void call_another(instant now) const noexcept;

private:
    /// The control of another process that serves and is not held, the one with the fewest connections; null: none.
    [[nodiscard]] const process::slot_control* least(instant now) const noexcept;

    const process::slot_table& all_;
    std::size_t own_;
};

}  // namespace rondo::server
