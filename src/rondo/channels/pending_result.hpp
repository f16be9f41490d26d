// SPDX-License-Identifier: Apache-2.0
// A result that another thread delivers, for a coroutine or a blocked thread.
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

/// A result that another thread delivers to a coroutine on a loop or to a blocked thread. Shared by both sides; the
/// waiter may abandon it at any time, after which its loop may end.
class pending : public posted_task, public std::enable_shared_from_this<pending> {
public:
    virtual ~pending() = default;

    /// Marks it as settled and wakes the waiter; further calls do nothing. Any thread.
    void settle(std::exception_ptr failure = nullptr);
    /// The waiter has given up. Any thread.
    [[nodiscard]] bool is_abandoned() const;
    [[nodiscard]] bool is_settled() const;

    /// Waits on the loop of the calling thread; blocks a thread without a running loop. False at the deadline. Throws
    /// the failure, which the waiter then owns, and `cancelled`. May be called once.
    [[nodiscard]] task<bool> wait(instant deadline);
    /// Blocking variant for threads without a loop; cancelled with the request that the thread handles.
    [[nodiscard]] bool wait_sync(instant deadline);

private:
    void run_on_loop() noexcept override;
    bool attach();
    bool attach(blocking_wait& thread);
    void abandon() noexcept;
    void rethrow_failure();

    mutable std::mutex mutex_;
    blocking_wait* blocked_ = nullptr;
    event_loop* loop_ = nullptr;
    bool settled_ = false;
    bool abandoned_ = false;
    std::exception_ptr failure_;
    std::shared_ptr<pending> kept_alive_;
    event settled_event_;  // used on the waiter's loop thread
};

/// A pending result with a value.
template <class T>
class reply final : public pending {
public:
    void set_value(T value) {
        value_ = std::move(value);
        settle();
    }
    /// Call after wait() has returned true.
    [[nodiscard]] T& value() noexcept { return value_; }

private:
    T value_{};
};

}  // namespace rondo::channels_detail
