// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <mutex>

#include <rondo/base/clock.hpp>
#include <rondo/base/intrusive_list.hpp>
#include <rondo/coro/context.hpp>

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

/// The wait of a thread that may block for what another thread does. Used once. done() may be called by any thread, as
/// long as this lives; everything else belongs to the thread that waits.
class blocking_wait {
public:
    blocking_wait() noexcept;
    ~blocking_wait();
    blocking_wait(const blocking_wait&) = delete;
    blocking_wait& operator=(const blocking_wait&) = delete;

    /// The deadline of whom the thread works for.
    [[nodiscard]] instant deadline() const noexcept { return deadline_; }
    /// Throws `cancelled` when it is over for whom the thread works for.
    void check() const;

    /// It is there. The waiting thread may go on, and this may be gone, as soon as it returns.
    void done() noexcept;

    /// Waits for done(), no longer than until then: false when that is over. Throws `cancelled` when whom the thread
    /// works for is cancelled, and at its deadline.
    [[nodiscard]] bool wait(instant until = instant::max());
    /// Waits for done(), whatever happens: after a wait that was cut short.
    void wait_to_the_end() noexcept;

private:
    friend void wake_blocked(cancel_source& of) noexcept;
    [[nodiscard]] cancel_reason reason() const noexcept;
    void look() noexcept;

    works_for* innermost_;
    instant deadline_ = instant::max();
    std::mutex mutex_;
    std::condition_variable changed_;
    bool done_ = false;
};

/// Lets the threads look that wait for this source's context; by the source, when it is cancelled. Any thread.
void wake_blocked(cancel_source& of) noexcept;

}  // namespace rondo
