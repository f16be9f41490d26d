// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <mutex>

#include <rondo/base/clock.hpp>
#include <rondo/coro/blocking_scope.hpp>
#include <rondo/coro/cancel.hpp>

namespace rondo {

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

}  // namespace rondo
