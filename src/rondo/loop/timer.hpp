// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include <rondo/base/clock.hpp>
#include <rondo/base/intrusive_list.hpp>
#include <rondo/coro/waiter.hpp>

namespace rondo {

class timer_wheel;

/// Calls back at a point in time, once per arming. Embedded in what it belongs to; leaves the wheel when destroyed.
/// Arming, moving and disarming take constant time; moving to a later time costs one store.
class timer : public list_node {
public:
    using function = void (*)(timer& self) noexcept;
    explicit timer(function f, instant due = {}) noexcept : function_(f), due_(due) {}

    [[nodiscard]] bool armed() const noexcept { return linked(); }
    [[nodiscard]] instant due() const noexcept { return due_; }
    void disarm() noexcept { unlink(); }

private:
    friend class timer_wheel;
    function function_;
    instant due_{};
    std::int64_t slot_tick_ = 0;
};

/// The timers of a loop: a hierarchical wheel with a resolution of one millisecond. A timer never fires early.
class timer_wheel {
public:
    explicit timer_wheel(instant now);

    /// Fires `t` at `due` (at the next turn when that has passed). Arming again moves it.
    void arm(timer& t, instant due) noexcept;

    /// Fires everything due at `now`.
    void advance(instant now) noexcept;

    /// The time of the next thing to do, not later than the next timer's; instant::max() when there is none.
    [[nodiscard]] instant next() const noexcept;

private:
    static constexpr int levels = 6;
    static constexpr int slot_bits = 6;
    static constexpr int slots = 1 << slot_bits;

    void place(timer& t) noexcept;
    void cascade(int level) noexcept;
    void fire(intrusive_list<timer>& due) noexcept;
    [[nodiscard]] std::int64_t tick_of(instant at) const noexcept;
    [[nodiscard]] std::int64_t next_tick() const noexcept;

    instant origin_;
    std::int64_t tick_ = 0;
    std::array<std::uint64_t, levels> occupied_{};
    std::array<std::array<intrusive_list<timer>, slots>, levels> wheel_;
    intrusive_list<timer> overdue_;  // armed for a time that had passed
};

/// `co_await loop.sleep(...)`.
class [[nodiscard]] sleep_awaiter : public waiter, timer {
public:
    sleep_awaiter(timer_wheel& wheel, instant due) noexcept
        : waiter([](waiter& self) noexcept { static_cast<sleep_awaiter&>(self).disarm(); }),
          timer([](timer& self) noexcept { static_cast<sleep_awaiter&>(self).wake(); }, due),
          wheel_(wheel) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) noexcept {
        if (!suspend(who)) return false;
        wheel_.arm(*this, due());
        return true;
    }
    void await_resume() const { check(); }

private:
    timer_wheel& wheel_;
};

}  // namespace rondo
