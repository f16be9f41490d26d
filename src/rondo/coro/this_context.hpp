// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <coroutine>

#include <rondo/coro/task_context.hpp>

namespace rondo {

namespace detail {

class [[nodiscard("co_await it")]] this_context_awaiter {
public:
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) noexcept {
        context_ = context_of(who);
        return false;
    }
    [[nodiscard]] context* await_resume() const noexcept { return context_; }

private:
    context* context_ = nullptr;
};

class [[nodiscard("co_await it")]] checkpoint_awaiter {
public:
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) noexcept {
        if (context* in = context_of(who)) reason_ = in->cancel.reason();
        return false;
    }
    void await_resume() const {
        if (reason_ != cancel_reason::none) throw cancelled{reason_};
    }

private:
    cancel_reason reason_ = cancel_reason::none;
};

}  // namespace detail

/// `co_await this_context()` gives the context the awaiting coroutine runs in, or null. Never suspends.
[[nodiscard("co_await it")]] inline detail::this_context_awaiter this_context() noexcept { return {}; }

/// `co_await checkpoint()` throws `cancelled` when the context is; for long stretches without another await.
/// Never suspends: it does not let others run.
[[nodiscard("co_await it")]] inline detail::checkpoint_awaiter checkpoint() noexcept { return {}; }

}  // namespace rondo
