// SPDX-License-Identifier: Apache-2.0
// Conversion between JSON and described structs.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <rondo/codec/describe.hpp>
#include <rondo/codec/json.hpp>

namespace rondo::codec {

/// Writes a bool, number, string or json_value, a described struct as an object of its members in order, a std::vector
/// as an array, a std::optional with null for nothing, or any nesting of these.
template <class T>
void write_json(json_writer& to, const T& value) {
    if constexpr (described<T>) {
        to.begin_object();
        for_each_member(value, [&to](std::string_view name, const auto& member) {
            to.key(name);
            write_json(to, member);
        });
        to.end_object();
    } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
        to.value(std::string_view(value));
    } else {
        to.value(value);
    }
}
template <class T>
void write_json(json_writer& to, const std::optional<T>& value) {
    if (value) write_json(to, *value);
    else to.value(nullptr);
}
template <class T>
void write_json(json_writer& to, const std::vector<T>& values) {
    to.begin_array();
    for (const auto& v : values) write_json(to, v);
    to.end_array();
}

/// The same as a string.
template <class T>
[[nodiscard]] std::string to_json(const T& value) {
    std::string out;
    json_writer writer(out);
    write_json(writer, value);
    return out;
}

namespace detail {

/// Each stores the value in `into` and returns an empty string, or an error such as "is not an integer in range".
[[nodiscard]] std::string read_member(const json_value& from, bool& into);
[[nodiscard]] std::string read_member(const json_value& from, std::string& into);
[[nodiscard]] std::string read_member(const json_value& from, double& into);
[[nodiscard]] std::string read_member(const json_value& from, json_value& into);
[[nodiscard]] std::string read_integer(const json_value& from, std::int64_t min, std::uint64_t max, std::int64_t& into);
[[nodiscard]] std::string not_an_object_error();
[[nodiscard]] std::string not_an_array_error();
[[nodiscard]] std::string missing_error();
/// Adds the path to an error: "'name' is missing" for "is missing"; "'in.name' is missing" for "'name' is missing".
[[nodiscard]] std::string with_path(std::string_view name, std::string_view error);
[[nodiscard]] std::string with_path(std::size_t index, std::string_view error);

template <std::integral T>
    requires(!std::same_as<T, bool>)
std::string read_member(const json_value& from, T& into) {
    std::int64_t integer = 0;
    constexpr auto max = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    std::string error = read_integer(from, static_cast<std::int64_t>(std::numeric_limits<T>::min()), max, integer);
    into = static_cast<T>(integer);
    return error;
}
template <class T>
std::string read_member(const json_value& from, std::optional<T>& into);
template <class T>
std::string read_member(const json_value& from, std::vector<T>& into);

template <described T>
std::string read_member(const json_value& from, T& into) {
    if (!from.is_object()) return not_an_object_error();
    std::string error;
    for_each_member(into, [&]<class Member>(std::string_view name, Member& member) {
        if (!error.empty()) return;
        const json_value* const found = from.find(name);
        if (found) error = read_member(*found, member);
        else if constexpr (requires { member.has_value(); }) return;
        else error = missing_error();
        if (!error.empty()) error = with_path(name, error);
    });
    return error;
}
template <class T>
std::string read_member(const json_value& from, std::optional<T>& into) {
    into.reset();
    if (from.is_null()) return {};
    return read_member(from, into.emplace());
}
template <class T>
std::string read_member(const json_value& from, std::vector<T>& into) {
    if (!from.is_array()) return not_an_array_error();
    into.clear();
    into.reserve(from.size());
    for (const json_value& element : from.as_array()) {
        T value{};
        if (std::string error = read_member(element, value); !error.empty()) return with_path(into.size(), error);
        into.push_back(std::move(value));
    }
    return {};
}

}  // namespace detail

/// Converts to a T, of a type that write_json() accepts. All members of a described struct are required, except
/// std::optional ones; other members of the object are ignored. Example of an error: "'tags[2]' is not a string".
template <class T>
[[nodiscard]] std::expected<T, json_error> read_json(const json_value& from) {
    T value{};
    std::string error = detail::read_member(from, value);
    if (!error.empty()) return std::unexpected(json_error{std::move(error)});
    return value;
}

/// The same from a JSON text.
template <class T>
[[nodiscard]] std::expected<T, json_error> parse_json_as(std::string_view text) {
    const auto parsed = parse_json(text);
    if (!parsed) return std::unexpected(parsed.error());
    return read_json<T>(*parsed);
}

}  // namespace rondo::codec
