// SPDX-License-Identifier: Apache-2.0
// Conversion of path and query parameters from text.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace rondo {

/// Specialise it to use a custom type in a path (`/log/<month:when>`) or a query:
///
///     template <> struct rondo::path_converter<month> {
///         static constexpr std::string_view name = "month";
///         static std::optional<month> parse(std::string_view text);   // pure; called twice per request
///     };
template <class T>
struct path_converter;

template <class T>
concept has_path_converter = requires(std::string_view text) {
    { path_converter<T>::name } -> std::convertible_to<std::string_view>;
    { path_converter<T>::parse(text) } -> std::same_as<std::optional<T>>;
};

/// Parses ['-'] digits, without white space or '+'. Returns nothing if the number is out of range.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text) noexcept;
[[nodiscard]] std::optional<std::uint64_t> parse_unsigned(std::string_view text) noexcept;
/// Parses ['-'] digits ['.' digits], without an exponent or infinity.
[[nodiscard]] std::optional<double> parse_decimal(std::string_view text) noexcept;
/// Parses "1", "true", "yes", "on" and "0", "false", "no", "off".
[[nodiscard]] std::optional<bool> parse_bool(std::string_view text) noexcept;

namespace detail {

template <class T>
concept character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
                    std::same_as<T, char16_t> || std::same_as<T, char32_t>;

/// Integral types except bool and characters.
template <class T>
concept integer = std::integral<T> && !std::same_as<T, bool> && !character<T>;

template <class T>
concept text_like = std::same_as<T, std::string_view> || std::same_as<T, std::string>;

}  // namespace detail

/// Converts untrusted text to a T; nothing if it is invalid.
template <class T>
[[nodiscard]] std::optional<T> convert(std::string_view text) {
    if constexpr (has_path_converter<T>) {
        return path_converter<T>::parse(text);
    } else if constexpr (detail::text_like<T>) {
        return T(text);
    } else if constexpr (std::same_as<T, bool>) {
        return parse_bool(text);
    } else if constexpr (std::floating_point<T>) {
        const auto value = parse_decimal(text);
        return value ? std::optional<T>(static_cast<T>(*value)) : std::nullopt;
    } else {
        static_assert(detail::integer<T>, "specialise rondo::path_converter for this type");
        const auto value = [&] {
            if constexpr (std::signed_integral<T>) return parse_integer(text);
            else return parse_unsigned(text);
        }();
        return value && std::in_range<T>(*value) ? std::optional<T>(static_cast<T>(*value)) : std::nullopt;
    }
}

/// Returns the description of T for messages about invalid values.
template <class T>
[[nodiscard]] constexpr std::string_view type_description() noexcept {
    if constexpr (has_path_converter<T>) return path_converter<T>::name;
    else if constexpr (std::same_as<T, bool>) return "boolean (true or false)";
    else if constexpr (std::floating_point<T>) return "number";
    else if constexpr (std::unsigned_integral<T>) return "whole number, not negative, in range";
    else if constexpr (std::integral<T>) return "whole number in range";
    else return "text";
}

}  // namespace rondo
