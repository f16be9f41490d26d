// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <rondo/codec/json.hpp>
#include <rondo/db/timestamp_text.hpp>

namespace rondo::db {

/// json: an element of a JSON array that is an array or an object itself.
enum class cell_kind : std::uint8_t { null, integer, real, text, bytes, json };

/// A value in a result as the database gives it: PostgreSQL writes everything as text, SQLite has types of its own.
struct cell {
    cell_kind kind = cell_kind::null;
    std::uint32_t type = 0;  ///< PostgreSQL's number of the type; 0: not known
    std::int64_t integer = 0;
    double real = 0;
    std::string_view text;  ///< text, bytes and json; as long as the result
};

/// The type of a text that is nothing else, however it looks.
inline constexpr std::uint32_t text_type = 25;

/// What a cell is as a type of C++; false when it is not one.
[[nodiscard]] bool read_cell(const cell& from, std::int64_t& value) noexcept;
[[nodiscard]] bool read_cell(const cell& from, std::uint64_t& value) noexcept;
[[nodiscard]] bool read_cell(const cell& from, double& value) noexcept;
[[nodiscard]] bool read_cell(const cell& from, bool& value) noexcept;
[[nodiscard]] bool read_cell(const cell& from, std::string& value);
[[nodiscard]] bool read_cell(const cell& from, std::string_view& value) noexcept;  ///< of text and bytes; no copy
[[nodiscard]] bool read_cell(const cell& from, std::vector<std::byte>& value);
[[nodiscard]] bool read_cell(const cell& from, time_point& value) noexcept;
[[nodiscard]] bool read_cell(const cell& from, codec::json_value& value);

template <std::integral Integer>
    requires(!std::same_as<Integer, bool> && sizeof(Integer) < sizeof(std::int64_t))
[[nodiscard]] bool read_cell(const cell& from, Integer& value) noexcept {
    std::int64_t wide = 0;
    if (!read_cell(from, wide) || !std::in_range<Integer>(wide)) return false;
    value = static_cast<Integer>(wide);
    return true;
}
template <std::integral Integer>
    requires(!std::same_as<Integer, std::int64_t> && !std::same_as<Integer, std::uint64_t> &&
             sizeof(Integer) == sizeof(std::int64_t))
[[nodiscard]] bool read_cell(const cell& from, Integer& value) noexcept {
    std::conditional_t<std::is_signed_v<Integer>, std::int64_t, std::uint64_t> same = 0;
    const bool good = read_cell(from, same);
    value = static_cast<Integer>(same);
    return good;
}
[[nodiscard]] inline bool read_cell(const cell& from, float& value) noexcept {
    double wide = 0;
    if (!read_cell(from, wide)) return false;
    value = static_cast<float>(wide);
    return std::isinf(value) == std::isinf(wide);
}
/// Not every time that a database keeps is one of Duration: in nanoseconds (std::chrono::system_clock's own unit) they
/// end in the year 2262.
template <class Duration>
    requires(!std::same_as<Duration, std::chrono::microseconds>)
[[nodiscard]] bool read_cell(const cell& from, std::chrono::sys_time<Duration>& value) noexcept {
    time_point fine;
    if (!read_cell(from, fine)) return false;
    using wide = std::chrono::duration<long double, typename Duration::period>;
    using count = typename Duration::rep;
    const long double exact = wide(fine.time_since_epoch()).count();
    if (exact < static_cast<long double>(std::numeric_limits<count>::lowest()) ||
        exact > static_cast<long double>(std::numeric_limits<count>::max()))
        return false;
    value = std::chrono::floor<Duration>(fine);
    return true;
}
template <class T>
[[nodiscard]] bool read_cell(const cell& from, std::optional<T>& value) {
    if (from.kind == cell_kind::null) {
        value.reset();
        return true;
    }
    return read_cell(from, value.emplace());
}

/// The elements of an array as text: '{1,NULL,"a b"}' or '[0:2]={1,NULL,"a b"}' of PostgreSQL, '[1,null,"a b"]' of
/// SQLite and of JSON. The texts are kept in `store`. False when it is no such array, one of several dimensions, or one
/// of a type of the user's whose elements may be separated otherwise than by commas.
[[nodiscard]] bool read_array(const cell& from, std::vector<cell>& elements, std::string& store);

template <class T>
[[nodiscard]] bool read_cell(const cell& from, std::vector<T>& value) {
    std::vector<cell> elements;
    std::string store;
    if (!read_array(from, elements, store)) return false;
    value.clear();
    value.reserve(elements.size());
    for (const cell& element : elements) {
        T item{};
        if (!read_cell(element, item)) return false;
        value.push_back(std::move(item));
    }
    return true;
}

/// Can stand in a column.
template <class T>
concept column_value = requires(const cell& from, T& value) {
    { read_cell(from, value) } -> std::same_as<bool>;
};

}  // namespace rondo::db
