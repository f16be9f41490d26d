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
class works_for {
public:
    /// `in` must outlive this object.
    explicit works_for(context* in) noexcept;
    ~works_for();
    works_for(const works_for&) = delete;
    works_for& operator=(const works_for&) = delete;

private:
    friend class blocking_wait;
    struct place : list_node {
        cancel_source* of = nullptr;
        blocking_wait* waits = nullptr;
    };
    friend void wake_blocked(cancel_source& source) noexcept;

    context* in_;
    works_for* outer_;
    place place_;
};

/// Wakes the threads blocked on behalf of this source's context; called by the source when it is cancelled. Any thread.
void wake_blocked(cancel_source& source) noexcept;

}  // namespace rondo
