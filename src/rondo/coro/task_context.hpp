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
class task_context {
public:
    task_context() noexcept = default;
    ~task_context();
    task_context(const task_context&) = delete;
    task_context& operator=(const task_context&) = delete;

    [[nodiscard]] cancel_token token() noexcept { return cancel_token(cancel); }

    cancel_source cancel;
    /// Name of the work for logs (the route of a request). Must point to memory that outlives the context.
    std::string_view name;
    /// The time after which the result is no longer needed; `instant::max()` for none.
    instant deadline = instant::max();
    /// Where to add the time for which code of this context occupies the thread; null: not measured.
    thread_time_counters* thread_time = nullptr;
};

/// A context cancelled together with its parent, whose name, deadline and thread_time it inherits; can be cancelled
/// separately.
class child_context : public task_context {
public:
    /// `parent` may be null; otherwise it must outlive this object.
    explicit child_context(task_context* parent) noexcept;

private:
    struct parent_callback : cancel_callback {
        explicit parent_callback(child_context& child) noexcept;
        child_context& child_;
    };
    parent_callback parent_callback_;
};

/// A promise that has a context.
template <class Promise>
concept has_context = requires(Promise& p) {
    { p.context() } -> std::convertible_to<task_context*>;
};

/// The context of a coroutine, or null when its promise has none.
template <class Promise>
[[nodiscard]] task_context* context_of(std::coroutine_handle<Promise> coroutine) noexcept {
    if constexpr (has_context<Promise>) return coroutine.promise().context();
    else return nullptr;
}

}  // namespace rondo
