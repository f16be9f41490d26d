// SPDX-License-Identifier: Apache-2.0
// Runs several tasks concurrently and returns the first result.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <rondo/coro/combinator_state.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/coro/this_context.hpp>

namespace rondo {

namespace detail {

template <std::size_t I = 0, class... Ts>
std::variant<combinator_result_t<Ts>...> result_at(std::tuple<task<Ts>...>& tasks, std::size_t index) {
    if constexpr (I + 1 < sizeof...(Ts)) {
        if (index != I) return result_at<I + 1>(tasks, index);
    }
    return std::variant<combinator_result_t<Ts>...>(std::in_place_index<I>, take_result(std::get<I>(tasks)));
}

}  // namespace detail

/// Runs the tasks concurrently until one ends, cancels the others, awaits their end, and returns the result of the
/// first as a variant with the task's index (std::monostate for void, a pointer for a reference). If the first task
/// failed, its exception is thrown. Results and exceptions of the others are discarded. Tasks after one that ends
/// without suspending are not started. Cancelling the awaiting coroutine cancels all tasks.
template <class... Ts>
    requires(sizeof...(Ts) > 0)
task<std::variant<detail::combinator_result_t<Ts>...>> when_any(task<Ts>... tasks) {
    detail::combinator_state state(co_await this_context(), detail::combinator_state::return_when::first_completed);
    std::tuple<task<Ts>...> owned(std::move(tasks)...);
    const auto children = detail::to_children(owned);
    co_await state.run(children);
    co_return detail::result_at(owned, state.first_index());
}

/// The index and the result of the first task of a vector that ended.
template <class T>
struct winner {
    std::size_t index;
    T value;
};

/// The same for any number of tasks of one type. Throws std::invalid_argument when the vector is empty.
template <class T>
task<winner<detail::combinator_result_t<T>>> when_any(std::vector<task<T>> tasks) {
    if (tasks.empty()) throw std::invalid_argument("when_any needs at least one task");
    detail::combinator_state state(co_await this_context(), detail::combinator_state::return_when::first_completed);
    std::vector<task<T>> owned(std::move(tasks));
    const auto children = detail::to_children(owned);
    co_await state.run(children);
    co_return winner<detail::combinator_result_t<T>>{state.first_index(),
                                                     detail::take_result(owned[state.first_index()])};
}

}  // namespace rondo
