// SPDX-License-Identifier: Apache-2.0
// Runs several tasks concurrently and returns all results.
#pragma once

#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <rondo/coro/combinator_state.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/coro/this_context.hpp>

namespace rondo {

/// Runs the tasks concurrently and returns all results in order: std::monostate for void, a pointer for a reference.
/// The first failure cancels the other tasks and is thrown when all have ended. Cancelling the awaiting coroutine
/// cancels all tasks. They run in one child context of the awaiting coroutine's context.
template <class... Ts>
task<std::tuple<detail::result_of_t<Ts>...>> when_all(task<Ts>... tasks) {
    detail::joint state(co_await this_context(), detail::joint::until::first_failure);
    std::tuple<task<Ts>...> owned(std::move(tasks)...);
    const auto children = detail::members_of(owned);
    co_await state.run(children);
    co_return std::apply([](auto&... t) { return std::tuple<detail::result_of_t<Ts>...>{detail::take_result(t)...}; },
                         owned);
}

/// The same for any number of tasks of one type; returns task<void> for tasks of void.
template <class T>
task<std::conditional_t<std::is_void_v<T>, void, std::vector<detail::result_of_t<T>>>> when_all(
    std::vector<task<T>> tasks) {
    detail::joint state(co_await this_context(), detail::joint::until::first_failure);
    std::vector<task<T>> owned(std::move(tasks));
    const auto children = detail::members_of(owned);
    co_await state.run(children);
    if constexpr (!std::is_void_v<T>) {
        std::vector<detail::result_of_t<T>> results;
        results.reserve(owned.size());
        for (task<T>& t : owned) results.push_back(detail::take_result(t));
        co_return results;
    }
}

}  // namespace rondo
