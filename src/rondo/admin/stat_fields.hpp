// SPDX-License-Identifier: Apache-2.0
/// The parts of a struct of figures, listed once with where each is kept while it is counted: reading them and adding
/// them up go by the list.
///
///     constexpr std::tuple counts{kept_in(&pool_totals::jobs, &pool_figures::jobs), ...};
///     read_each(counts, totals, figures);
///     add_each(counts, totals, more);
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <tuple>

namespace rondo::admin {

template <class T>
[[nodiscard]] T figure_of(const std::atomic<T>& kept) noexcept {
    return kept.load(std::memory_order_relaxed);
}
template <class T, std::size_t Size>
[[nodiscard]] std::array<T, Size> figure_of(const std::array<std::atomic<T>, Size>& kept) noexcept {
    std::array<T, Size> all{};
    for (std::size_t i = 0; i < Size; ++i) all[i] = figure_of(kept[i]);
    return all;
}

template <class T>
void add_figure(T& to, const T& more) noexcept {
    to += more;
}
template <class T, std::size_t Size>
void add_figure(std::array<T, Size>& to, const std::array<T, Size>& more) noexcept {
    for (std::size_t i = 0; i < Size; ++i) to[i] += more[i];
}

template <class Read, class Kept>
struct figure_entry {
    Read read;
    Kept kept;
};
/// A member of the totals, and the member of the figures that it is read from.
template <class Read, class Kept>
constexpr figure_entry<Read, Kept> kept_in(Read read, Kept kept) noexcept {
    return {read, kept};
}

template <class List, class Totals, class Figures>
void read_each(const List& list, Totals& to, const Figures& from) noexcept {
    std::apply([&](const auto&... e) { ((to.*e.read = figure_of(from.*e.kept)), ...); }, list);
}
template <class List, class Totals>
void add_each(const List& list, Totals& to, const Totals& more) noexcept {
    std::apply([&](const auto&... e) { (add_figure(to.*e.read, more.*e.read), ...); }, list);
}
/// The largest instead of the sum.
template <class List, class Totals>
void raise_each(const List& list, Totals& to, const Totals& more) noexcept {
    std::apply([&](const auto&... e) { ((to.*e.read = std::max(to.*e.read, more.*e.read)), ...); }, list);
}

}  // namespace rondo::admin
