// SPDX-License-Identifier: Apache-2.0
// Timers and the hierarchical timer wheel.
#pragma once

#include <array>
#include <cstdint>

#include <rondo/base/clock.hpp>
#include <rondo/base/intrusive_list.hpp>
#include <rondo/coro/waiter.hpp>

namespace rondo {

class timer_wheel;

/// Calls a function at a point in time, once per arm(). Embedded in its owner; destruction disarms it.
/// Arming, moving and disarming take constant time; moving to a later time is a single store.
class timer : public list_node {
public:
    using function = void (*)(timer& self) noexcept;
    explicit timer(function f, instant due = {}) noexcept : function_(f), due_(due) {}

    [[nodiscard]] bool is_armed() const noexcept { return is_linked(); }
    [[nodiscard]] instant due() const noexcept { return due_; }
    void disarm() noexcept { unlink(); }

private:
    friend class timer_wheel;
    function function_;
    instant due_{};
    std::int64_t slot_tick_ = 0;
};

/// The timers of a loop: a hierarchical timer wheel with a resolution of one millisecond. A timer never fires early.
class timer_wheel {
public:
    explicit timer_wheel(instant now);

    /// Fires `t` at `due`, or at the next turn when that time has passed. Arming it again moves it.
    void arm(timer& t, instant due) noexcept;

    /// Fires all timers that are due at `now`.
    void advance(instant now) noexcept;

    /// Returns when advance() must be called next, not later than the next timer; instant::max() when there is none.
    [[nodiscard]] instant next() const noexcept;

private:
    static constexpr int levels = 6;
    static constexpr int slot_bits = 6;
    static constexpr int slots = 1 << slot_bits;

    void insert(timer& t) noexcept;
    void cascade(int level) noexcept;
    void fire(intrusive_list<timer>& due) noexcept;
    [[nodiscard]] std::int64_t to_tick(instant at) const noexcept;
    [[nodiscard]] std::int64_t next_tick() const noexcept;

    instant origin_;
    std::int64_t tick_ = 0;
    std::array<std::uint64_t, levels> occupied_{};
    std::array<std::array<intrusive_list<timer>, slots>, levels> wheel_;
    intrusive_list<timer> overdue_;  // armed with a time in the past
};

/// Returned by event_loop::sleep().
class [[nodiscard]] sleep_awaiter : public waiter, timer {
public:
    sleep_awaiter(timer_wheel& wheel, instant due) noexcept
        : waiter([](waiter& self) noexcept { static_cast<sleep_awaiter&>(self).disarm(); }),
          timer([](timer& self) noexcept { static_cast<sleep_awaiter&>(self).wake(); }, due),
          wheel_(wheel) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        if (!suspend(awaiting)) return false;
        wheel_.arm(*this, due());
        return true;
    }
    void await_resume() const { check(); }

private:
    timer_wheel& wheel_;
};

}  // namespace rondo
