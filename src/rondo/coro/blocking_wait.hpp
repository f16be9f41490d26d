// SPDX-License-Identifier: Apache-2.0
// A wait of a blocking thread that ends on completion, deadline or cancellation.
#pragma once

#include <condition_variable>
#include <mutex>

#include <rondo/base/clock.hpp>
#include <rondo/coro/blocking_wait_scope.hpp>
#include <rondo/coro/cancel.hpp>

namespace rondo {

/// The wait of a blocking thread for an operation of another thread. Used once. complete() may be called by any thread
/// during the lifetime of this object; everything else belongs to the waiting thread.
class blocking_wait {
public:
    blocking_wait() noexcept;
    ~blocking_wait();
    blocking_wait(const blocking_wait&) = delete;
    blocking_wait& operator=(const blocking_wait&) = delete;

    /// The earliest deadline of the enclosing blocking scopes.
    [[nodiscard]] instant deadline() const noexcept { return deadline_; }
    /// Throws `cancelled` when an enclosing blocking scope is cancelled or past its deadline.
    void check() const;

    /// Completes the wait. The waiting thread may resume and destroy this object before the call returns.
    void complete() noexcept;

    /// Waits for complete() at most until `until`; returns false at that time. Throws `cancelled` when an enclosing
    /// blocking scope is cancelled, and at its deadline.
    [[nodiscard]] bool wait(instant until = instant::max());
    /// Waits for complete() without any limit; for use after an interrupted wait.
    void wait_uninterrupted() noexcept;

private:
    friend void wake_blocked_threads(cancel_source& source) noexcept;
    [[nodiscard]] cancel_reason reason() const noexcept;
    void wake() noexcept;

    blocking_scope* innermost_;
    instant deadline_ = instant::max();
    std::mutex mutex_;
    std::condition_variable changed_;
    bool done_ = false;
};

}  // namespace rondo
