// SPDX-License-Identifier: Apache-2.0
// Runs a task to its end on a thread without an event loop.
#pragma once

#include <utility>

#include <rondo/coro/task.hpp>

namespace rondo {

namespace detail {

/// Starts the task and blocks until it has ended.
void block_on(std::coroutine_handle<> task, task_promise_base& promise, task_context* in);

}  // namespace detail

/// Runs a task on a thread without a loop and blocks until it has ended. Returns its result or rethrows its exception.
/// The task may continue and end on another thread. Throws synchronous_only on a loop thread.
/// `in` is the context that the task runs in; without one it cannot be cancelled.
template <class T>
T sync_wait(task<T> t, task_context* in = nullptr) {
    detail::block_on(t.coroutine(), t.coroutine().promise(), in);
    return t.coroutine().promise().take();
}

}  // namespace rondo
