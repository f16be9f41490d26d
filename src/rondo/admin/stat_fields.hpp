// SPDX-License-Identifier: Apache-2.0
// Lists the fields of a stats struct once, to load them from their atomics and to add them up.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <tuple>

//     constexpr std::tuple fields{field(&pool_snapshot::jobs, &stats::pool_stats::jobs), ...};
//     load_each(fields, snapshot, counters);
//     add_each(fields, sum, snapshot);
namespace rondo::admin {

template <class T>
[[nodiscard]] T figure_of(const std::atomic<T>& value) noexcept {
    return value.load(std::memory_order_relaxed);
}
template <class T, std::size_t Size>
[[nodiscard]] std::array<T, Size> figure_of(const std::array<std::atomic<T>, Size>& values) noexcept {
    std::array<T, Size> all{};
    for (std::size_t i = 0; i < Size; ++i) all[i] = figure_of(values[i]);
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

template <class Member, class Source>
struct figure_entry {
    Member read;
    Source kept;
};
/// A member of the snapshot, and the atomic member that it is loaded from.
template <class Member, class Source>
constexpr figure_entry<Member, Source> kept_in(Member member, Source source) noexcept {
    return {member, source};
}

template <class Fields, class Snapshot, class Counters>
void read_each(const Fields& fields, Snapshot& to, const Counters& from) noexcept {
    std::apply([&](const auto&... f) { ((to.*f.read = figure_of(from.*f.kept)), ...); }, fields);
}
template <class Fields, class Snapshot>
void add_each(const Fields& fields, Snapshot& to, const Snapshot& more) noexcept {
    std::apply([&](const auto&... f) { (add_figure(to.*f.read, more.*f.read), ...); }, fields);
}
/// Like add_each(), with the maximum instead of the sum.
template <class Fields, class Snapshot>
void raise_each(const Fields& fields, Snapshot& to, const Snapshot& more) noexcept {
    std::apply([&](const auto&... f) { ((to.*f.read = std::max(to.*f.read, more.*f.read)), ...); }, fields);
}

}  // namespace rondo::admin
