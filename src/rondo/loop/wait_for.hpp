// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rondo/coro/event.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

namespace detail {

class [[nodiscard("co_await it")]] timed_wait {
public:
    timed_wait(event& e, clock::duration d) noexcept : wait_(e), timer_(wait_), time_(d) {}
    timed_wait(const timed_wait&) = delete;
    timed_wait& operator=(const timed_wait&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) {
        if (!wait_.await_suspend(who)) return false;
        event_loop::current().timers().arm(timer_, clock::now() + time_);
        return true;
    }
    bool await_resume() {
        timer_.disarm();
        wait_.await_resume();
        return !timer_.first;
    }

private:
    struct end_timer : timer {
        explicit end_timer(waiter& woken) noexcept;
        waiter& woken_;
        bool first = false;  // it woke the coroutine, not the event
    };

    event::wait_awaiter wait_;
    end_timer timer_;
    clock::duration time_;
};

}  // namespace detail

/// `bool set = co_await wait_for(e, 25s)`: true when the event is or was set, false when the time was over first;
/// throws `cancelled`. Costs no thread and no allocation, so ten thousand may wait. Loop thread only.
[[nodiscard("co_await it")]] inline detail::timed_wait wait_for(event& e, clock::duration d) noexcept { return {e, d}; }

}  // namespace rondo
