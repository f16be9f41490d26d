// SPDX-License-Identifier: Apache-2.0
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
std::variant<result_of_t<Ts>...> result_at(std::tuple<task<Ts>...>& tasks, std::size_t index) {
    if constexpr (I + 1 < sizeof...(Ts)) {
        if (index != I) return result_at<I + 1>(tasks, index);
    }
    return std::variant<result_of_t<Ts>...>(std::in_place_index<I>, take_result(std::get<I>(tasks)));
}

}  // namespace detail

/// Runs the tasks beside each other until one ends; cancels the others, awaits their end, and gives the result of the
/// first: its index is that of the variant (std::monostate for void, a pointer for a reference). When the first to end
/// failed, that is thrown. What the others return or throw is dropped. Tasks after one that ends without waiting are
/// not started. Cancelling the awaiting coroutine cancels them all.
template <class... Ts>
    requires(sizeof...(Ts) > 0)
task<std::variant<detail::result_of_t<Ts>...>> when_any(task<Ts>... tasks) {
    detail::joint joint(co_await this_context(), detail::joint::until::first_end);
    std::tuple<task<Ts>...> owned(std::move(tasks)...);
    const auto members = detail::members_of(owned);
    co_await joint.run(members);
    co_return detail::result_at(owned, joint.first());
}

/// Which of a vector of tasks ended first, and what it gave.
template <class T>
struct winner {
    std::size_t index;
    T value;
};

/// The same for any number of tasks of one kind. Throws std::invalid_argument when there is none.
template <class T>
task<winner<detail::result_of_t<T>>> when_any(std::vector<task<T>> tasks) {
    if (tasks.empty()) throw std::invalid_argument("when_any needs at least one task");
    detail::joint joint(co_await this_context(), detail::joint::until::first_end);
    std::vector<task<T>> owned(std::move(tasks));
    const auto members = detail::members_of(owned);
    co_await joint.run(members);
    co_return winner<detail::result_of_t<T>>{joint.first(), detail::take_result(owned[joint.first()])};
}

}  // namespace rondo
