// SPDX-License-Identifier: Apache-2.0
// A counting semaphore for coroutines.
#pragma once

#include <coroutine>
#include <cstddef>
#include <utility>

#include <rondo/coro/waiter.hpp>

namespace rondo {

/// A number of units that coroutines acquire and release. First come, first served: a large request at the head of the
/// queue delays the small ones behind it. Belongs to one thread. Coroutines that still wait when it is destroyed wait
/// until they are cancelled.
class semaphore {
public:
    class acquire_awaiter;
    class reserve_awaiter;
    class reservation;

    explicit semaphore(std::size_t units) noexcept : available_(units) {}
    semaphore(const semaphore&) = delete;
    semaphore& operator=(const semaphore&) = delete;
    ~semaphore();

    /// `co_await s.acquire(n)` acquires n units, to be returned with release(n). Throws `cancelled`.
    /// Acquiring more units than will ever be available waits until cancelled.
    [[nodiscard("co_await it")]] acquire_awaiter acquire(std::size_t units = 1) noexcept;
    /// `auto units = co_await s.reserve(n)`: the same, but the units are released when `units` is destroyed.
    [[nodiscard("co_await it")]] reserve_awaiter reserve(std::size_t units = 1) noexcept;
    /// Returns false if it would have to wait.
    [[nodiscard]] bool try_acquire(std::size_t units = 1) noexcept;
    void release(std::size_t units = 1) noexcept;

    [[nodiscard]] std::size_t available() const noexcept { return available_; }

private:
    void grant() noexcept;

    std::size_t available_;
    intrusive_list<acquire_awaiter> waiters_;
};

class semaphore::acquire_awaiter : public waiter {
public:
    acquire_awaiter(semaphore& s, std::size_t units) noexcept;
    ~acquire_awaiter();
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        return suspend(awaiting) && enqueue();
    }
    void await_resume() { consume_grant(); }

protected:
    void consume_grant() {
        check();
        granted_ = false;
    }
    semaphore& semaphore_;
    std::size_t units_;

private:
    friend class semaphore;
    bool enqueue() noexcept;

    bool granted_ = false;  // owns the units, but the coroutine has not resumed yet
};

/// Releases its units on destruction. Must not outlive the semaphore.
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

    /// Releases the units now.
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
        consume_grant();
        return {semaphore_, units_};
    }
};

inline semaphore::acquire_awaiter semaphore::acquire(std::size_t units) noexcept { return {*this, units}; }
inline semaphore::reserve_awaiter semaphore::reserve(std::size_t units) noexcept { return {*this, units}; }

}  // namespace rondo
