// SPDX-License-Identifier: Apache-2.0
// Groups of background tasks that outlive the request that spawned them.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <rondo/coro/event.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

struct background_options {
    std::size_t limit = 1000;  ///< most unfinished tasks at a time
};

/// Thrown by spawn() when the group has background_options::limit unfinished tasks.
class background_full : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Work that continues after the response was sent and that shutdown waits for: `app.background("mail")`. The tasks run
/// on the main loop of the process, in a context of the group, so no request's deadline or disconnect cancels them.
/// Failures are logged and counted. During shutdown spawn() still works; shutdown waits until all tasks are done or
/// `graceful_timeout` has passed, then cancels the remaining ones (cancel_reason::drain) and logs that. Work that must
/// survive a killed process belongs in a database or a queue.
class background_group {
public:
    /// Called by the application.
    background_group(std::string name, background_options options) : name_(std::move(name)), options_(options) {}
    background_group(const background_group&) = delete;
    background_group& operator=(const background_group&) = delete;

    /// Starts a task. Callable from any thread. The coroutine must take its parameters by value. Throws background_full
    /// at the limit, std::logic_error when the application is not running.
    void spawn(task<void> work);

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] std::size_t size() const noexcept { return unfinished_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t failed() const noexcept { return failed_.load(std::memory_order_relaxed); }

    /// Called by the application on its loop `loop`, where tasks run from now on.
    void open(event_loop& loop);
    /// Called by the application: waits for the tasks until `deadline`, then cancels the remaining ones.
    [[nodiscard]] task<void> close(instant deadline);

private:
    [[nodiscard]] task<void> run(task<void> work);
    [[nodiscard]] task<void> wait_until_idle();
    void start(task<void> work);

    const std::string name_;
    const background_options options_;
    std::atomic<std::size_t> unfinished_{0};
    std::atomic<std::size_t> failed_{0};
    std::atomic<event_loop*> loop_{nullptr};
    std::optional<task_group> tasks_;  // used on the loop only
    event idle_;                       // used on the loop only
};

}  // namespace rondo
