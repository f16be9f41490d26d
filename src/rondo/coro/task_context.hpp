// SPDX-License-Identifier: Apache-2.0
// The context of a chain of coroutines: cancellation, deadline, name.
#pragma once

#include <concepts>
#include <coroutine>
#include <string_view>

#include <rondo/base/clock.hpp>
#include <rondo/coro/cancel.hpp>
#include <rondo/stats/cpu_timer.hpp>

namespace rondo {

/// The context shared by a chain of awaiting coroutines: cancellation, deadline and name. There is one per request; a
/// coroutine inherits the context of the coroutine that awaits it.
/// Belongs to one thread. Must outlive the coroutines that run in it.
class context {
public:
    context() noexcept = default;
    ~context();
    context(const context&) = delete;
    context& operator=(const context&) = delete;

    [[nodiscard]] cancel_token token() noexcept { return cancel_token(cancel); }

    cancel_source cancel;
    /// Name of the work for logs (the route of a request). Must point to memory that outlives the context.
    std::string_view activity;
    /// The time after which the result is no longer needed; `instant::max()` for none.
    instant deadline = instant::max();
    /// Where to add the time for which code of this context occupies the thread; null: not measured.
    time_held* held = nullptr;
};

/// A context cancelled together with its parent, whose name, deadline and thread_time it inherits; can be cancelled
/// separately.
class child_context : public context {
public:
    /// `parent` may be null; otherwise it must outlive this object.
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

/// The context of a coroutine, or null when its promise has none.
template <class Promise>
[[nodiscard]] context* context_of(std::coroutine_handle<Promise> coroutine) noexcept {
    if constexpr (has_context<Promise>) return coroutine.promise().running_in();
    else return nullptr;
}

}  // namespace rondo
