// SPDX-License-Identifier: Apache-2.0
// Parses a whole text as a number.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace rondo {

/// Parses all of `text` with std::from_chars: no white space, no '+'. Returns nothing when the text contains anything
/// else or the number is out of range. `base` is for integers only.
template <class Number>
[[nodiscard]] std::optional<Number> parse_number(std::string_view text, int base = 10) noexcept {
    Number number{};
    const char* const end = text.data() + text.size();
    std::from_chars_result result{};
    if constexpr (std::is_integral_v<Number>) result = std::from_chars(text.data(), end, number, base);
    else result = std::from_chars(text.data(), end, number);
    if (result.ec != std::errc{} || result.ptr != end) return std::nullopt;
    return number;
}

}  // namespace rondo
