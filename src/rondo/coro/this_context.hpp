// SPDX-License-Identifier: Apache-2.0
// Awaitables for the current task context: this_context() and checkpoint().
#pragma once

#include <coroutine>

#include <rondo/coro/task_context.hpp>

namespace rondo {

namespace detail {

class [[nodiscard("co_await it")]] this_context_awaiter {
public:
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        context_ = context_of(awaiting);
        return false;
    }
    [[nodiscard]] task_context* await_resume() const noexcept { return context_; }

private:
    task_context* context_ = nullptr;
};

class [[nodiscard("co_await it")]] checkpoint_awaiter {
public:
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        if (task_context* in = context_of(awaiting)) reason_ = in->cancel.reason();
        return false;
    }
    void await_resume() const {
        if (reason_ != cancel_reason::none) throw cancelled{reason_};
    }

private:
    cancel_reason reason_ = cancel_reason::none;
};

}  // namespace detail

/// `co_await this_context()` returns the context that the awaiting coroutine runs in, or null. Never suspends.
[[nodiscard("co_await it")]] inline detail::this_context_awaiter this_context() noexcept { return {}; }

/// `co_await checkpoint()` throws `cancelled` when the context is cancelled; for long code without another await.
/// Never suspends: other coroutines do not run.
[[nodiscard("co_await it")]] inline detail::checkpoint_awaiter checkpoint() noexcept { return {}; }

}  // namespace rondo
