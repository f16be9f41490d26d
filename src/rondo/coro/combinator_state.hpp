// SPDX-License-Identifier: Apache-2.0
// The state shared by when_all and when_any.
#pragma once

#include <array>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <span>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

#include <rondo/coro/task.hpp>
#include <rondo/coro/task_context.hpp>

namespace rondo::detail {

/// The result that a combinator returns for a task<T>: std::monostate for void, a pointer for a reference.
template <class T>
struct combinator_result {
    using type = T;
};
template <>
struct combinator_result<void> {
    using type = std::monostate;
};
template <class T>
struct combinator_result<T&> {
    using type = T*;
};
template <class T>
using combinator_result_t = typename combinator_result<T>::type;

/// Moves the result out of a finished task, or rethrows its exception.
template <class T>
combinator_result_t<T> take_result(task<T>& t) {
    if constexpr (std::is_void_v<T>) {
        t.coroutine().promise().take();
        return {};
    } else if constexpr (std::is_reference_v<T>) {
        return &t.coroutine().promise().take();
    } else {
        return t.coroutine().promise().take();
    }
}

/// Starts tasks in a child context, cancels the rest once the outcome is decided, and resumes the awaiting coroutine
/// when the last task has ended. Stored in that coroutine's frame and constructed before the tasks, so that it outlives
/// them.
class combinator_state final : completion_handler {
public:
    enum class return_when : unsigned char { first_exception, first_completed };
    struct child {
        std::coroutine_handle<> task;
        task_promise_base* promise = nullptr;
    };
    combinator_state(task_context* parent, return_when when) noexcept : context_(parent), return_when_(when) {}
    combinator_state(const combinator_state&) = delete;
    combinator_state& operator=(const combinator_state&) = delete;

    class [[nodiscard("co_await it")]] awaiter {
    public:
        awaiter(combinator_state& j, std::span<const child> children) noexcept : state_(j), children_(children) {}
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        [[nodiscard]] bool await_suspend(std::coroutine_handle<> awaiting) noexcept {
            return state_.start(awaiting, children_);
        }
        void await_resume() const { state_.check(); }

    private:
        combinator_state& state_;
        std::span<const child> children_;
    };
    /// Starts the tasks in order until the outcome is decided; the remaining ones are not started.
    /// Throws the deciding failure, or `cancelled` without starting any task when the parent is already cancelled.
    [[nodiscard("co_await it")]] awaiter run(std::span<const child> children) noexcept { return {*this, children}; }

    /// The index of the task that ended first.
    [[nodiscard]] std::size_t first_index() const noexcept { return first_index_; }

private:
    bool start(std::coroutine_handle<> awaiting, std::span<const child> children) noexcept;
    std::coroutine_handle<> on_completion(std::coroutine_handle<> task, std::size_t index,
                                          std::exception_ptr failure) noexcept override;
    void check() const;

    child_context context_;
    std::coroutine_handle<> continuation_;
    std::exception_ptr failure_;
    std::size_t first_index_ = 0;
    std::size_t running_ = 0;
    cancel_reason reason_ = cancel_reason::none;
    return_when return_when_;
    bool decided_ = false;
};

template <class T>
[[nodiscard]] combinator_state::child to_child(const task<T>& t) noexcept {
    return {t.coroutine(), &t.coroutine().promise()};
}

template <class... Ts>
[[nodiscard]] std::array<combinator_state::child, sizeof...(Ts)> to_children(
    const std::tuple<task<Ts>...>& tasks) noexcept {
    return std::apply(
        [](const auto&... t) { return std::array<combinator_state::child, sizeof...(Ts)>{to_child(t)...}; }, tasks);
}

template <class T>
[[nodiscard]] std::vector<combinator_state::child> to_children(const std::vector<task<T>>& tasks) {
    std::vector<combinator_state::child> children;
    children.reserve(tasks.size());
    for (const task<T>& t : tasks) children.push_back(to_child(t));
    return children;
}

}  // namespace rondo::detail
