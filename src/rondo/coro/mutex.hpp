// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/coro/semaphore.hpp>

namespace rondo {

/// Lets one coroutine at a time through, first come first served, across its awaits. It is for coroutines of one
/// thread, not for threads: code without an await in between needs none.
class mutex {
public:
    /// Unlocks at its end; can be moved, and ended early with release(). Must not outlive the mutex.
    using guard = semaphore::reservation;

    mutex() noexcept : one_(1) {}

    /// `auto guard = co_await m.lock()`; throws `cancelled`. Not recursive.
    [[nodiscard("co_await it")]] semaphore::reserve_awaiter lock() noexcept { return one_.reserve(); }

    /// Gives an empty guard when the mutex is locked.
    [[nodiscard]] guard try_lock() noexcept { return one_.try_acquire() ? guard(one_, 1) : guard(); }

    [[nodiscard]] bool locked() const noexcept { return one_.available() == 0; }

private:
    semaphore one_;
};

}  // namespace rondo
