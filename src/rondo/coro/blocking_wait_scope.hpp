// SPDX-License-Identifier: Apache-2.0
// Bounds the blocking waits of a thread by the deadline and cancellation of a task context.
// Implemented in blocking_wait.cpp.
#pragma once

#include <rondo/base/intrusive_list.hpp>
#include <rondo/coro/task_context.hpp>

namespace rondo {

class blocking_wait;

/// Makes the calling thread work for a context for the lifetime of this object: blocking calls (a sync database call,
/// get_sync() of the client) get the context's deadline and end when it is cancelled, although the context belongs to
/// another thread. May be nested: the limits of the outer scopes apply as well. A null context lifts all limits,
/// including those of the outer scopes.
class blocking_scope {
public:
    /// `in` must outlive this object.
    explicit blocking_scope(task_context* in) noexcept;
    ~blocking_scope();
    blocking_scope(const blocking_scope&) = delete;
    blocking_scope& operator=(const blocking_scope&) = delete;

private:
    friend class blocking_wait;
    struct registration : list_node {
        cancel_source* source = nullptr;
        blocking_wait* wait = nullptr;
    };
    friend void wake_blocked_threads(cancel_source& source) noexcept;

    task_context* context_;
    blocking_scope* outer_;
    registration registration_;
};

/// Wakes the threads blocked on behalf of this source's context; called by the source when it is cancelled. Any thread.
void wake_blocked_threads(cancel_source& source) noexcept;

}  // namespace rondo
