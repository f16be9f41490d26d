// SPDX-License-Identifier: Apache-2.0
// A single value of a result, and its conversion to C++ types.
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

/// json: an element of a JSON array that is itself an array or an object.
enum class value_kind : std::uint8_t { null, integer, real, text, bytes, json };

/// A value of a result as the database returns it: PostgreSQL sends everything as text, SQLite has its own types.
struct sql_value {
    value_kind kind = value_kind::null;
    std::uint32_t type = 0;  ///< PostgreSQL type OID; 0: unknown
    std::int64_t integer = 0;
    double real = 0;
    std::string_view text;  ///< of text, bytes and json; valid as long as the result
};

/// The OID of `text`: the value is text, whatever it looks like.
inline constexpr std::uint32_t text_type_oid = 25;

/// Converts a value to a C++ type; returns false when it does not fit.
[[nodiscard]] bool read_value(const sql_value& source, std::int64_t& value) noexcept;
[[nodiscard]] bool read_value(const sql_value& source, std::uint64_t& value) noexcept;
[[nodiscard]] bool read_value(const sql_value& source, double& value) noexcept;
[[nodiscard]] bool read_value(const sql_value& source, bool& value) noexcept;
[[nodiscard]] bool read_value(const sql_value& source, std::string& value);
[[nodiscard]] bool read_value(const sql_value& source, std::string_view& value) noexcept;  ///< text and bytes; no copy
[[nodiscard]] bool read_value(const sql_value& source, std::vector<std::byte>& value);
[[nodiscard]] bool read_value(const sql_value& source, time_point& value) noexcept;
[[nodiscard]] bool read_value(const sql_value& source, codec::json_value& value);

template <std::integral Integer>
    requires(!std::same_as<Integer, bool> && sizeof(Integer) < sizeof(std::int64_t))
[[nodiscard]] bool read_value(const sql_value& source, Integer& value) noexcept {
    std::int64_t wide = 0;
    if (!read_value(source, wide) || !std::in_range<Integer>(wide)) return false;
    value = static_cast<Integer>(wide);
    return true;
}
template <std::integral Integer>
    requires(!std::same_as<Integer, std::int64_t> && !std::same_as<Integer, std::uint64_t> &&
             sizeof(Integer) == sizeof(std::int64_t))
[[nodiscard]] bool read_value(const sql_value& source, Integer& value) noexcept {
    std::conditional_t<std::is_signed_v<Integer>, std::int64_t, std::uint64_t> same = 0;
    const bool fits = read_value(source, same);
    value = static_cast<Integer>(same);
    return fits;
}
[[nodiscard]] inline bool read_value(const sql_value& source, float& value) noexcept {
    double wide = 0;
    if (!read_value(source, wide)) return false;
    value = static_cast<float>(wide);
    return std::isinf(value) == std::isinf(wide);
}
/// Returns false for a time beyond the range of Duration: nanoseconds (the unit of std::chrono::system_clock) end in
/// the year 2262.
template <class Duration>
    requires(!std::same_as<Duration, std::chrono::microseconds>)
[[nodiscard]] bool read_value(const sql_value& source, std::chrono::sys_time<Duration>& value) noexcept {
    time_point fine;
    if (!read_value(source, fine)) return false;
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
[[nodiscard]] bool read_value(const sql_value& source, std::optional<T>& value) {
    if (source.kind == value_kind::null) {
        value.reset();
        return true;
    }
    return read_value(source, value.emplace());
}

/// Splits an array given as text: PostgreSQL's '{1,NULL,"a b"}' or '[0:2]={1,NULL,"a b"}', or '[1,null,"a b"]' from
/// SQLite or JSON. `store` owns the texts of the elements. Returns false when it is not an array, has several
/// dimensions, or is of a user-defined type whose delimiter may not be a comma.
[[nodiscard]] bool read_array(const sql_value& source, std::vector<sql_value>& elements, std::string& store);

template <class T>
[[nodiscard]] bool read_value(const sql_value& source, std::vector<T>& value) {
    std::vector<sql_value> elements;
    std::string store;
    if (!read_array(source, elements, store)) return false;
    value.clear();
    value.reserve(elements.size());
    for (const sql_value& element : elements) {
        T item{};
        if (!read_value(element, item)) return false;
        value.push_back(std::move(item));
    }
    return true;
}

/// A type that a column can be read into.
template <class T>
concept column_value = requires(const sql_value& source, T& value) {
    { read_value(source, value) } -> std::same_as<bool>;
};

}  // namespace rondo::db
