// SPDX-License-Identifier: Apache-2.0
// The character classes of the HTTP and URI grammars, one bit each in one table.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace rondo::http::characters {

enum character_class : std::uint8_t {
    token = 1,       ///< tchar (RFC 9110 section 5.6.2)
    field_byte = 2,  ///< HTAB, SP, VCHAR, obs-text: allowed in a field value (RFC 9110 section 5.5)
    target = 4,      ///< accepted in a request target: all but controls, SP and '#'; '%' and '?' are handled separately
    hex = 8,         ///< HEXDIG, both cases
    host = 16,       ///< unreserved and sub-delims without ',' (RFC 3986 section 3.2.2)
    digit = 32,
    uri = 64,  ///< sent unencoded in a path or query: those of RFC 3986 without '%' and '?', plus '[' and ']'
};

namespace detail {

constexpr bool is_any_of(unsigned c, std::string_view set) noexcept {
    return c < 128 && set.find(static_cast<char>(c)) != std::string_view::npos;
}

constexpr std::uint8_t classes_of(unsigned c) noexcept {
    const bool is_digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool plain = is_digit || letter;
    unsigned classes = 0;
    if (plain || is_any_of(c, "!#$%&'*+-.^_`|~")) classes |= token;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) classes |= field_byte;
    if (c > 0x20 && c != 0x7f && !is_any_of(c, "#%?")) classes |= target;
    if (plain || is_any_of(c, "-._~!$&'()*+,;=:@/[]")) classes |= uri;
    if (is_digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')) classes |= hex;
    if (plain || is_any_of(c, "-._~!$&'()*+;=")) classes |= host;
    if (is_digit) classes |= digit;
    return static_cast<std::uint8_t>(classes);
}

constexpr std::array<std::uint8_t, 256> make_table() noexcept {
    std::array<std::uint8_t, 256> table{};
    for (unsigned c = 0; c < 256; ++c) table[c] = classes_of(c);
    return table;
}

}  // namespace detail

inline constexpr std::string_view crlf = "\r\n";

inline constexpr std::array<std::uint8_t, 256> table = detail::make_table();

[[nodiscard]] constexpr bool is(char c, character_class expected) noexcept {
    return (table[static_cast<unsigned char>(c)] & expected) != 0;
}

/// OWS of RFC 9110 section 5.6.3.
[[nodiscard]] constexpr bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }

[[nodiscard]] constexpr char to_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

/// Returns the value of a HEXDIG; -1 for any other byte.
[[nodiscard]] constexpr int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    const char low = to_lower(c);
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

}  // namespace rondo::http::characters
