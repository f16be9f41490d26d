// SPDX-License-Identifier: Apache-2.0
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
    std::size_t limit = 1000;  ///< tasks that may be unfinished at once
};

/// Thrown by spawn() when too many tasks of a group are unfinished.
class background_full : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Work that goes on after the response was sent, and that the end of the server waits for: `app.background("mail")`.
/// The tasks run on the main loop of the process, in a context of the group: no request's deadline or disconnect ends
/// them. What fails is logged and counted. At the end of the server spawn() is still possible; the end waits until all
/// are done, as long as `graceful_timeout` leaves time, then cancels the rest (cancel_reason::drain) and says so in the
/// log. What must not be lost when the process is killed belongs in a database or a queue, not here.
class background_group {
public:
    /// By the application.
    background_group(std::string name, background_options options) : name_(std::move(name)), options_(options) {}
    background_group(const background_group&) = delete;
    background_group& operator=(const background_group&) = delete;

    /// Any thread. Throws background_full, std::logic_error when the application does not run (yet, or any more). A
    /// coroutine that is spawned takes its parameters by value.
    void spawn(task<void> work);

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] std::size_t size() const noexcept { return unfinished_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::size_t failed() const noexcept { return failed_.load(std::memory_order_relaxed); }

    /// By the application, on its loop: from now on tasks run here.
    void open(event_loop& on);
    /// By the application: waits for the tasks until then, cancels those that are left.
    [[nodiscard]] task<void> close(instant until);

private:
    [[nodiscard]] task<void> run(task<void> work);
    [[nodiscard]] task<void> wait_until_idle();
    void start(task<void> work);

    const std::string name_;
    const background_options options_;
    std::atomic<std::size_t> unfinished_{0};
    std::atomic<std::size_t> failed_{0};
    std::atomic<event_loop*> loop_{nullptr};
    std::optional<task_group> tasks_;  // these two are the loop's
    event idle_;
};

}  // namespace rondo
