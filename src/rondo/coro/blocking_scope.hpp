// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/base/intrusive_list.hpp>
#include <rondo/coro/task_context.hpp>

namespace rondo {

class blocking_wait;

/// Says whom the calling thread works for, as long as it lives: what blocks here (a sync database call, get_sync() of
/// the client) then has the deadline of that context and ends when it is cancelled, though the context belongs to
/// another thread. May be nested: the inner one bounds within the outer one. Null: for nobody; waits are bounded by
/// none of the outer ones.
class works_for {
public:
    /// `in` must outlive this.
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
    friend void wake_blocked(cancel_source& of) noexcept;

    context* in_;
    works_for* outer_;
    place place_;
};

/// Lets the threads look that wait for this source's context; by the source, when it is cancelled. Any thread.
void wake_blocked(cancel_source& of) noexcept;

}  // namespace rondo
