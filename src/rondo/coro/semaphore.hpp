// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <coroutine>
#include <cstddef>
#include <utility>

#include <rondo/coro/waiter.hpp>

namespace rondo {

/// A number of units that coroutines take and give back. First come, first served: a large request at the head of the
/// line holds up the small ones behind it. Belongs to one thread. Whoever still waits when it is destroyed waits until
/// cancelled.
class semaphore {
public:
    class acquire_awaiter;
    class reserve_awaiter;
    class reservation;

    explicit semaphore(std::size_t units) noexcept : available_(units) {}
    semaphore(const semaphore&) = delete;
    semaphore& operator=(const semaphore&) = delete;
    ~semaphore();

    /// `co_await s.acquire(n)` returns with n units taken, to be given back by release(n); throws `cancelled`.
    /// More units than there will ever be are waited for until cancelled.
    [[nodiscard("co_await it")]] acquire_awaiter acquire(std::size_t units = 1) noexcept;
    /// `auto units = co_await s.reserve(n)`: the same, given back when `units` is destroyed.
    [[nodiscard("co_await it")]] reserve_awaiter reserve(std::size_t units = 1) noexcept;
    /// False when it would have to wait.
    [[nodiscard]] bool try_acquire(std::size_t units = 1) noexcept;
    void release(std::size_t units = 1) noexcept;

    [[nodiscard]] std::size_t available() const noexcept { return available_; }

private:
    void grant() noexcept;

    std::size_t available_;
    intrusive_list<acquire_awaiter> line_;
};

class semaphore::acquire_awaiter : public waiter {
public:
    acquire_awaiter(semaphore& s, std::size_t units) noexcept;
    ~acquire_awaiter();
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) noexcept {
        return suspend(who) && enter();
    }
    void await_resume() { take(); }

protected:
    void take() {
        check();
        granted_ = false;
    }
    semaphore& semaphore_;
    std::size_t units_;

private:
    friend class semaphore;
    bool enter() noexcept;

    bool granted_ = false;  // units are ours, but the coroutine does not know it yet
};

/// Units that go back to their semaphore at the end; the semaphore must still be there.
class [[nodiscard]] semaphore::reservation {
public:
    reservation() noexcept = default;
    reservation(semaphore& s, std::size_t units) noexcept : semaphore_(&s), units_(units) {}
    reservation(reservation&& other) noexcept
        : semaphore_(std::exchange(other.semaphore_, nullptr)), units_(other.units_) {}
    reservation& operator=(reservation&& other) noexcept {
        if (this != &other) {
            release();
            semaphore_ = std::exchange(other.semaphore_, nullptr);
            units_ = other.units_;
        }
        return *this;
    }
    ~reservation() { release(); }

    /// Gives the units back now.
    void release() noexcept {
        if (semaphore* s = std::exchange(semaphore_, nullptr)) s->release(units_);
    }
    explicit operator bool() const noexcept { return semaphore_; }

private:
    semaphore* semaphore_ = nullptr;
    std::size_t units_ = 0;
};

class semaphore::reserve_awaiter : public acquire_awaiter {
public:
    using acquire_awaiter::acquire_awaiter;
    [[nodiscard]] reservation await_resume() {
        take();
        return {semaphore_, units_};
    }
};

inline semaphore::acquire_awaiter semaphore::acquire(std::size_t units) noexcept { return {*this, units}; }
inline semaphore::reserve_awaiter semaphore::reserve(std::size_t units) noexcept { return {*this, units}; }

}  // namespace rondo
