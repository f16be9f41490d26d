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
[[nodiscard]] T load_value(const std::atomic<T>& value) noexcept {
    return value.load(std::memory_order_relaxed);
}
template <class T, std::size_t Size>
[[nodiscard]] std::array<T, Size> load_value(const std::array<std::atomic<T>, Size>& values) noexcept {
    std::array<T, Size> result{};
    for (std::size_t i = 0; i < Size; ++i) result[i] = load_value(values[i]);
    return result;
}

template <class T>
void add_value(T& to, const T& more) noexcept {
    to += more;
}
template <class T, std::size_t Size>
void add_value(std::array<T, Size>& to, const std::array<T, Size>& more) noexcept {
    for (std::size_t i = 0; i < Size; ++i) to[i] += more[i];
}

template <class Member, class Source>
struct stat_field {
    Member member;
    Source source;
};
/// A member of the snapshot, and the atomic member that it is loaded from.
template <class Member, class Source>
constexpr stat_field<Member, Source> field(Member member, Source source) noexcept {
    return {member, source};
}

template <class Fields, class Snapshot, class Counters>
void load_each(const Fields& fields, Snapshot& to, const Counters& from) noexcept {
    std::apply([&](const auto&... f) { ((to.*f.member = load_value(from.*f.source)), ...); }, fields);
}
template <class Fields, class Snapshot>
void add_each(const Fields& fields, Snapshot& to, const Snapshot& more) noexcept {
    std::apply([&](const auto&... f) { (add_value(to.*f.member, more.*f.member), ...); }, fields);
}
/// Like add_each(), with the maximum instead of the sum.
template <class Fields, class Snapshot>
void max_each(const Fields& fields, Snapshot& to, const Snapshot& more) noexcept {
    std::apply([&](const auto&... f) { ((to.*f.member = std::max(to.*f.member, more.*f.member)), ...); }, fields);
}

}  // namespace rondo::admin
