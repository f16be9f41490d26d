// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <coroutine>
#include <string_view>

#include <rondo/base/clock.hpp>
#include <rondo/coro/cancel.hpp>
#include <rondo/stats/cpu_timer.hpp>

namespace rondo {

/// What a chain of awaiting coroutines has in common: whether it is to end, until when it may run, and what it is
/// called. There is one per request; a coroutine inherits the context of the one that awaits it.
/// Belongs to one thread. Must outlive the coroutines that run in it.
class context {
public:
    context() noexcept = default;
    ~context();
    context(const context&) = delete;
    context& operator=(const context&) = delete;

    [[nodiscard]] cancel_token token() noexcept { return cancel_token(cancel); }

    cancel_source cancel;
    /// What runs here (the route of a request), for logs. Must point to memory that outlives the context.
    std::string_view activity;
    /// The point in time after which the work is of no use; `instant::max()` for none.
    instant deadline = instant::max();
    /// Where the time that code of this context holds the thread is counted; null: it is not.
    time_held* held = nullptr;
};

/// A context within another: cancelled with it, named, bounded and counted like it, and cancellable by itself.
class child_context : public context {
public:
    /// `parent` may be null; otherwise it must outlive this.
    explicit child_context(context* parent) noexcept;

private:
    struct link : cancel_callback {
        explicit link(child_context& child) noexcept;
        child_context& child_;
    };
    link link_;
};

/// A promise that knows its context.
template <class Promise>
concept has_context = requires(Promise& p) {
    { p.running_in() } -> std::convertible_to<context*>;
};

/// The context of a coroutine, or null when its promise knows none.
template <class Promise>
[[nodiscard]] context* context_of(std::coroutine_handle<Promise> coroutine) noexcept {
    if constexpr (has_context<Promise>) return coroutine.promise().running_in();
    else return nullptr;
}

}  // namespace rondo
