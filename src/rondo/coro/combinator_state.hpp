// SPDX-License-Identifier: Apache-2.0
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

/// What a combinator gives for a task of T: std::monostate for void, a pointer for a reference.
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

/// The result of a finished task; throws its exception.
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

/// The common part of when_all and when_any: starts tasks in a context of their own, cancels the rest when it is
/// decided, and lets the awaiting coroutine go on when the last one has ended. Lives in that coroutine's frame and is
/// made before the tasks, so that it outlives them.
class joint final : task_end {
public:
    enum class until : unsigned char { first_failure, first_end };
    struct member {
        std::coroutine_handle<> task;
        task_promise_base* promise = nullptr;
    };
    joint(context* parent, until decided) noexcept : context_(parent), until_(decided) {}
    joint(const joint&) = delete;
    joint& operator=(const joint&) = delete;

    class [[nodiscard("co_await it")]] awaiter {
    public:
        awaiter(joint& j, std::span<const member> members) noexcept : joint_(j), members_(members) {}
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        [[nodiscard]] bool await_suspend(std::coroutine_handle<> who) noexcept { return joint_.start(who, members_); }
        void await_resume() const { joint_.check(); }

    private:
        joint& joint_;
        std::span<const member> members_;
    };
    /// Starts the members in order, until it is decided; those that were not started stay so.
    /// Throws the failure that decided, and `cancelled` without starting any when the parent is cancelled already.
    [[nodiscard("co_await it")]] awaiter run(std::span<const member> members) noexcept { return {*this, members}; }

    /// Which member ended first.
    [[nodiscard]] std::size_t first() const noexcept { return first_; }

private:
    bool start(std::coroutine_handle<> who, std::span<const member> members) noexcept;
    std::coroutine_handle<> ended(std::coroutine_handle<> task, std::size_t place,
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
    std::vector<joint::member> members;
    members.reserve(tasks.size());
    for (const task<T>& t : tasks) members.push_back(member_of(t));
    return members;
}

}  // namespace rondo::detail
