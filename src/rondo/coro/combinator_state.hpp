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
struct result_of {
    using type = T;
};
template <>
struct result_of<void> {
    using type = std::monostate;
};
template <class T>
struct result_of<T&> {
    using type = T*;
};
template <class T>
using result_of_t = typename result_of<T>::type;

/// Moves the result out of a finished task, or rethrows its exception.
template <class T>
result_of_t<T> take_result(task<T>& t) {
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
class joint final : task_end {
public:
    enum class until : unsigned char { first_failure, first_end };
    struct member {
        std::coroutine_handle<> task;
        task_promise_base* promise = nullptr;
    };
    joint(context* parent, until when) noexcept : context_(parent), until_(when) {}
    joint(const joint&) = delete;
    joint& operator=(const joint&) = delete;

    class [[nodiscard("co_await it")]] awaiter {
    public:
        awaiter(joint& j, std::span<const member> children) noexcept : joint_(j), members_(children) {}
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        [[nodiscard]] bool await_suspend(std::coroutine_handle<> awaiting) noexcept {
            return joint_.start(awaiting, members_);
        }
        void await_resume() const { joint_.check(); }

    private:
        joint& joint_;
        std::span<const member> members_;
    };
    /// Starts the tasks in order until the outcome is decided; the remaining ones are not started.
    /// Throws the deciding failure, or `cancelled` without starting any task when the parent is already cancelled.
    [[nodiscard("co_await it")]] awaiter run(std::span<const member> children) noexcept { return {*this, children}; }

    /// The index of the task that ended first.
    [[nodiscard]] std::size_t first() const noexcept { return first_; }

private:
    bool start(std::coroutine_handle<> awaiting, std::span<const member> children) noexcept;
    std::coroutine_handle<> ended(std::coroutine_handle<> task, std::size_t index,
                                  std::exception_ptr failure) noexcept override;
    void check() const;

    child_context context_;
    std::coroutine_handle<> who_;
    std::exception_ptr failure_;
    std::size_t first_ = 0;
    std::size_t running_ = 0;
    cancel_reason refused_ = cancel_reason::none;
    until until_;
    bool decided_ = false;
};

template <class T>
[[nodiscard]] joint::member member_of(const task<T>& t) noexcept {
    return {t.coroutine(), &t.coroutine().promise()};
}

template <class... Ts>
[[nodiscard]] std::array<joint::member, sizeof...(Ts)> members_of(const std::tuple<task<Ts>...>& tasks) noexcept {
    return std::apply([](const auto&... t) { return std::array<joint::member, sizeof...(Ts)>{member_of(t)...}; },
                      tasks);
}

template <class T>
[[nodiscard]] std::vector<joint::member> members_of(const std::vector<task<T>>& tasks) {
    std::vector<joint::member> children;
    children.reserve(tasks.size());
    for (const task<T>& t : tasks) children.push_back(member_of(t));
    return children;
}

}  // namespace rondo::detail
