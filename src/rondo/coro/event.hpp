// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <coroutine>

#include <rondo/coro/waiter.hpp>

namespace rondo {

/// A flag that coroutines wait for. Stays set until reset(). Belongs to one thread.
/// Whoever still waits when it is destroyed waits until cancelled.
class event {
public:
    class [[nodiscard("co_await it")]] wait_awaiter;

    explicit event(bool set = false) noexcept : set_(set) {}
    event(const event&) = delete;
    event& operator=(const event&) = delete;

    /// Wakes everybody who waits. May be destroyed by one of them.
    void set() noexcept;
    void reset() noexcept { set_ = false; }
    [[nodiscard]] bool is_set() const noexcept { return set_; }

    /// `co_await e.wait()` returns when it is or was set; throws `cancelled`.
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
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) noexcept {
        return suspend(who) && enter();
    }
    void await_resume() const { check(); }

private:
    bool enter() noexcept;

    event& event_;
};

inline event::wait_awaiter event::wait() noexcept { return wait_awaiter(*this); }

}  // namespace rondo
