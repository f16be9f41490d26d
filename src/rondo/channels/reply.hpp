// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <memory>
#include <mutex>
#include <utility>

#include <rondo/base/clock.hpp>
#include <rondo/coro/blocking_wait.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo::channels_detail {

/// An answer that another thread gives: to a coroutine on a loop, or to a blocked thread. Shared by both sides; whoever
/// waits may give up at any time, and its loop may go away then.
class pending : public posted, public std::enable_shared_from_this<pending> {
public:
    virtual ~pending() = default;

    /// It is there; a second time does nothing. Any thread.
    void settle(std::exception_ptr failure = nullptr);
    /// Nobody waits any more. Any thread.
    [[nodiscard]] bool abandoned() const;
    [[nodiscard]] bool settled() const;

    /// Waits on the loop of the calling thread (a thread on which none turns blocks), at most until then. False when
    /// the time is over; throws the failure, which then is the waiter's alone, and `cancelled`. Once.
    [[nodiscard]] task<bool> wait(instant until);
    /// The same for a thread without a loop; it is cancelled with whom the thread works for.
    [[nodiscard]] bool wait_sync(instant until);

private:
    void run_on_loop() noexcept override;
    bool attach();
    bool attach(blocking_wait& thread);
    void abandon() noexcept;
    void check();

    mutable std::mutex mutex_;
    blocking_wait* blocked_ = nullptr;
    event_loop* loop_ = nullptr;
    bool settled_ = false;
    bool abandoned_ = false;
    std::exception_ptr failure_;
    std::shared_ptr<pending> kept_alive_;
    event arrived_;  // on the waiting loop's thread
};

/// The same with a value.
template <class T>
class reply final : public pending {
public:
    void give(T value) {
        value_ = std::move(value);
        settle();
    }
    /// After wait() gave true.
    [[nodiscard]] T& value() noexcept { return value_; }

private:
    T value_{};
};

}  // namespace rondo::channels_detail
