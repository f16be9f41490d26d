// SPDX-License-Identifier: Apache-2.0
// A mutex for coroutines.
#pragma once

#include <rondo/coro/semaphore.hpp>

namespace rondo {

/// Mutual exclusion between coroutines of one thread, across their awaits; locked in the order of the calls. Not for
/// threads: code without an await needs no mutex.
class mutex {
public:
    /// Unlocks on destruction; movable, and can be unlocked early with release(). Must not outlive the mutex.
    using guard = semaphore::reservation;

    mutex() noexcept : semaphore_(1) {}

    /// `auto guard = co_await m.lock()`; throws `cancelled`. Not recursive.
    [[nodiscard("co_await it")]] semaphore::reserve_awaiter lock() noexcept { return semaphore_.reserve(); }

    /// Returns an empty guard when the mutex is locked.
    [[nodiscard]] guard try_lock() noexcept { return semaphore_.try_acquire() ? guard(semaphore_, 1) : guard(); }

    [[nodiscard]] bool is_locked() const noexcept { return semaphore_.available() == 0; }

private:
    semaphore semaphore_;
};

}  // namespace rondo
