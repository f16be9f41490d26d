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
task<std::tuple<detail::combinator_result_t<Ts>...>> when_all(task<Ts>... tasks) {
    detail::combinator_state state(co_await this_context(), detail::combinator_state::return_when::first_exception);
    std::tuple<task<Ts>...> owned(std::move(tasks)...);
    const auto children = detail::to_children(owned);
    co_await state.run(children);
    co_return std::apply(
        [](auto&... t) { return std::tuple<detail::combinator_result_t<Ts>...>{detail::take_result(t)...}; }, owned);
}

/// The same for any number of tasks of one type; returns task<void> for tasks of void.
template <class T>
task<std::conditional_t<std::is_void_v<T>, void, std::vector<detail::combinator_result_t<T>>>> when_all(
    std::vector<task<T>> tasks) {
    detail::combinator_state state(co_await this_context(), detail::combinator_state::return_when::first_exception);
    std::vector<task<T>> owned(std::move(tasks));
    const auto children = detail::to_children(owned);
    co_await state.run(children);
    if constexpr (!std::is_void_v<T>) {
        std::vector<detail::combinator_result_t<T>> results;
        results.reserve(owned.size());
        for (task<T>& t : owned) results.push_back(detail::take_result(t));
        co_return results;
    }
}

}  // namespace rondo
