// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <rondo/coro/combinator_state.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/coro/this_context.hpp>

namespace rondo {

/// Runs the tasks beside each other and gives all the results, in order: std::monostate for void, a pointer for a
/// reference. The first failure cancels the others; when all have ended it is thrown. Cancelling the awaiting
/// coroutine cancels them all. All run in one child context of the awaiting coroutine's.
template <class... Ts>
task<std::tuple<detail::result_of_t<Ts>...>> when_all(task<Ts>... tasks) {
    detail::joint joint(co_await this_context(), detail::joint::until::first_failure);
    std::tuple<task<Ts>...> owned(std::move(tasks)...);
    const auto members = detail::members_of(owned);
    co_await joint.run(members);
    co_return std::apply([](auto&... t) { return std::tuple<detail::result_of_t<Ts>...>{detail::take_result(t)...}; },
                         owned);
}

/// The same for any number of tasks of one kind; task<void> for tasks of void.
template <class T>
task<std::conditional_t<std::is_void_v<T>, void, std::vector<detail::result_of_t<T>>>> when_all(
    std::vector<task<T>> tasks) {
    detail::joint joint(co_await this_context(), detail::joint::until::first_failure);
    std::vector<task<T>> owned(std::move(tasks));
    const auto members = detail::members_of(owned);
    co_await joint.run(members);
    if constexpr (!std::is_void_v<T>) {
        std::vector<detail::result_of_t<T>> results;
        results.reserve(owned.size());
        for (task<T>& t : owned) results.push_back(detail::take_result(t));
        co_return results;
    }
}

}  // namespace rondo
