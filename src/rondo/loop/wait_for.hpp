// SPDX-License-Identifier: Apache-2.0
// wait_for(): waits for an event with a timeout.
#pragma once

#include <rondo/coro/event.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

namespace detail {

class [[nodiscard("co_await it")]] timed_wait {
public:
    timed_wait(event& e, clock::duration d) noexcept : wait_(e), timer_(wait_), timeout_(d) {}
    timed_wait(const timed_wait&) = delete;
    timed_wait& operator=(const timed_wait&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) {
        if (!wait_.await_suspend(awaiting)) return false;
        event_loop::current().timers().arm(timer_, clock::now() + timeout_);
        return true;
    }
    bool await_resume() {
        timer_.disarm();
        wait_.await_resume();
        return !timer_.fired_first;
    }

private:
    struct expiry_timer : timer {
        explicit expiry_timer(waiter& woken) noexcept;
        waiter& waiter_;
        bool fired_first = false;  // the timer woke the coroutine, not the event
    };

    event::wait_awaiter wait_;
    expiry_timer timer_;
    clock::duration timeout_;
};

}  // namespace detail

/// `bool set = co_await wait_for(e, 25s)`: returns true once the event is set, false if the time expires first. Throws
/// `cancelled`. Uses no thread and no allocation, so tens of thousands of coroutines may wait. Loop thread only.
[[nodiscard("co_await it")]] inline detail::timed_wait wait_for(event& e, clock::duration d) noexcept { return {e, d}; }

}  // namespace rondo
