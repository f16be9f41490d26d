// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include <rondo/base/clock.hpp>
#include <rondo/process/slot_table.hpp>

namespace rondo {
class thread_pool;
}

namespace rondo::server {

/// How many connections the processes have that accept from the same sockets, so that each takes its share. Each
/// publishes its own number in memory that all read. Loop thread only.
class share {
public:
    /// The others are those of `all` that serve; it must outlive this, as must `views`: the threads that all requests
    /// of this process run on, if it is so.
    share(const process::slot_table& all, std::size_t own, const thread_pool* views = nullptr) noexcept
        : all_(all), own_(own), views_(views) {}

    void publish(std::size_t connections) noexcept {
        all_.control(own_).connections.store(static_cast<std::uint32_t>(connections), std::memory_order_relaxed);
    }
    /// Lets the others know whether the threads are held. Now and then.
    void publish_views(instant now) noexcept;
    /// Nobody else serves, nor is about to.
    [[nodiscard]] bool alone() const noexcept;
    /// This process has clearly more than the one with the fewest: another one is to take the next connection. Those
    /// whose loop or views have been held for a while are left out of account.
    [[nodiscard]] bool has_enough(instant now) const noexcept;
    /// All threads of the views of this process have been held for a while, and there is another one where it is not
    /// so: whatever this one takes would wait.
    [[nodiscard]] bool must_not(instant now) const noexcept;
    /// Asks the one with the fewest, of those that are not held, to look for connections that wait: sends it SIGWINCH,
    /// which a process that does not expect it ignores. Any thread.
    void call_another(instant now) const noexcept;

private:
    [[nodiscard]] bool views_are_held(instant now) const noexcept;
    /// The control of another process that serves and is not held, the one with the fewest connections; null: none.
    [[nodiscard]] const process::slot_control* least(instant now) const noexcept;

    const process::slot_table& all_;
    std::size_t own_;
    const thread_pool* views_;
};

}  // namespace rondo::server
