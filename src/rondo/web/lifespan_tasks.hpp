// SPDX-License-Identifier: Apache-2.0
// The tasks that run alongside an application's views: worker-lifetime tasks, periodic tasks and background groups.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/base/clock.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/web/background.hpp>
#include <rondo/web/lifespan_hook.hpp>

namespace rondo::detail {

/// Calls a hook on the loop or on the blocking pool.
[[nodiscard]] task<void> run_hook(const hook& h);

/// The tasks that run alongside the views of an application.
class lifespan_tasks {
public:
    /// Returns whether this process runs the periodic task `name`. Called on the loop; must not block.
    using leader_check = std::function<bool(std::string_view name)>;

    /// Adds a task that runs from start() to stop() and is restarted when it fails. Only before start().
    void add_task(std::string name, hook h) { tasks_.push_back({std::move(name), std::move(h), {}}); }
    /// Adds a function to call at an interval. Only before start().
    void add_periodic(std::string name, hook h, clock::duration interval) {
        tasks_.push_back({std::move(name), std::move(h), interval});
    }
    /// Returns the group of this name, creating it with `options` if there is none. Callable at any time, from any
    /// thread.
    [[nodiscard]] background_group& group(std::string_view name, background_options options);

    void start(const leader_check& is_leader);
    /// Cancels the tasks, then waits for the groups until `deadline`.
    [[nodiscard]] task<void> stop(instant deadline);

private:
    struct lifespan_task {
        std::string name;
        hook call;
        std::optional<clock::duration> interval;
    };
    [[nodiscard]] static task<void> run_with_restarts(const lifespan_task& entry);
    [[nodiscard]] static task<void> run_periodically(const lifespan_task& entry, leader_check is_leader);

    std::vector<lifespan_task> tasks_;
    std::optional<task_group> running_tasks_;
    std::mutex mutex_;
    event_loop* loop_ = nullptr;                             // guarded by mutex_
    std::vector<std::unique_ptr<background_group>> groups_;  // guarded by mutex_
};

}  // namespace rondo::detail
