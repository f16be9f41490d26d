// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <coroutine>

#include <rondo/base/intrusive_list.hpp>

namespace rondo {

/// A coroutine that can go on. Leaves the queue when destroyed, so a coroutine may be destroyed while it is ready.
class ready_node : public list_node {
public:
    std::coroutine_handle<> coroutine;
};

/// The coroutines of this thread that can go on, first come first served. Everything in `coro/` resumes through it,
/// so that a long chain of resumptions (thousands of waiters of one mutex) never nests on the stack.
class ready_queue {
public:
    /// The calling thread's.
    [[nodiscard]] static ready_queue& current() noexcept;

    /// Queues; runs the queue at once unless somebody up the stack (a loop's turn, sync_wait) is running it.
    void push(ready_node& node) noexcept;

    /// Runs until empty. Does nothing when called from within itself.
    void run() noexcept;

    [[nodiscard]] bool empty() const noexcept { return nodes_.empty(); }

    /// While one lives, push() only queues: its owner promises to call run().
    class runner {
    public:
        explicit runner(ready_queue& queue) noexcept : queue_(queue) { ++queue_.runners_; }
        ~runner() { --queue_.runners_; }
        runner(const runner&) = delete;
        runner& operator=(const runner&) = delete;

    private:
        ready_queue& queue_;
    };

private:
    intrusive_list<ready_node> nodes_;
    int runners_ = 0;
    bool running_ = false;
};

}  // namespace rondo
