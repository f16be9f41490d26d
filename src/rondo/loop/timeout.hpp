// SPDX-License-Identifier: Apache-2.0
// with_timeout(): limits how long a task may run.
#pragma once

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <rondo/coro/task.hpp>
#include <rondo/coro/this_context.hpp>
#include <rondo/loop/loop.hpp>

namespace rondo {

/// Thrown by with_timeout when the time has expired.
class timed_out : public std::runtime_error {
public:
    timed_out() : std::runtime_error("timed out") {}
};

namespace detail {

/// A context that is cancelled at a given time.
class bounded_context : public child_context {
public:
    bounded_context(task_context* parent, event_loop& loop, instant until) noexcept;
    [[nodiscard]] bool is_expired() const noexcept { return expired_; }

private:
    struct expiry_timer : timer {
        explicit expiry_timer(bounded_context& owner) noexcept;
        bounded_context& owner_;
    };
    expiry_timer timer_;
    bool expired_ = false;
};

/// Awaits a task in a context other than that of the awaiting coroutine.
template <class T>
class [[nodiscard]] run_in_context {
public:
    run_in_context(task<T>& t, task_context& in) noexcept : task_(t), context_(in) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    [[nodiscard]] std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) const noexcept {
        auto& promise = task_.coroutine().promise();
        promise.set_continuation(awaiting);
        promise.set_context(&context_);
        return task_.coroutine();
    }
    T await_resume() const { return task_.coroutine().promise().take(); }

private:
    task<T>& task_;
    task_context& context_;
};

}  // namespace detail

/// Runs `t` in a child context that is cancelled after `d`, and throws timed_out once `t` has ended with `cancelled`.
/// If `t` returns a result despite the cancellation, that is returned. Loop thread only.
template <class T>
[[nodiscard]] task<T> with_timeout(clock::duration d, task<T> t) {
    event_loop& loop = event_loop::current();
    detail::bounded_context within(co_await this_context(), loop, from_now(d));
    task<T> inner = std::move(t);  // destroyed before its context
    try {
        co_return co_await detail::run_in_context<T>(inner, within);
    } catch (const cancelled&) {
        if (!within.is_expired()) throw;
    }
    throw timed_out();
}

}  // namespace rondo
