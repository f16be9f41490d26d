// SPDX-License-Identifier: Apache-2.0
// A flag that coroutines wait for.
#pragma once

#include <coroutine>

#include <rondo/coro/waiter.hpp>

namespace rondo {

/// A flag that coroutines wait for. Stays set until reset(). Belongs to one thread.
/// Coroutines that still wait when it is destroyed wait until they are cancelled.
class event {
public:
    class [[nodiscard("co_await it")]] wait_awaiter;

    explicit event(bool set = false) noexcept : set_(set) {}
    event(const event&) = delete;
    event& operator=(const event&) = delete;

    /// Wakes all waiting coroutines, one of which may destroy the event.
    void set() noexcept;
    void reset() noexcept { set_ = false; }
    [[nodiscard]] bool is_set() const noexcept { return set_; }

    /// `co_await e.wait()` returns once the event is set, at once if it already is. Throws `cancelled`.
    [[nodiscard("co_await it")]] wait_awaiter wait() noexcept;

private:
    intrusive_list<waiter> waiters_;
    bool set_;
};

class event::wait_awaiter : public waiter {
public:
    explicit wait_awaiter(event& e) noexcept : event_(e) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        return suspend(awaiting) && enqueue();
    }
    void await_resume() const { check(); }

private:
    bool enqueue() noexcept;

    event& event_;
};

inline event::wait_awaiter event::wait() noexcept { return wait_awaiter(*this); }

}  // namespace rondo
