// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/routing/convert.hpp>

#include <algorithm>

#include <rondo/base/parse_number.hpp>

namespace rondo {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) noexcept { return parse_number<std::int64_t>(text); }

std::optional<std::uint64_t> parse_unsigned(std::string_view text) noexcept {
    return parse_number<std::uint64_t>(text);
}

std::optional<double> parse_decimal(std::string_view text) noexcept {
    std::string_view digits = text;
    if (!digits.empty() && digits.front() == '-') digits.remove_prefix(1);
    const std::size_t point = std::min(digits.find('.'), digits.size());
    const std::string_view whole = digits.substr(0, point);
    const std::string_view fraction = point == digits.size() ? std::string_view("0") : digits.substr(point + 1);
    if (whole.empty() || fraction.empty() || !std::all_of(whole.begin(), whole.end(), is_digit) ||
        !std::all_of(fraction.begin(), fraction.end(), is_digit)) {
        return std::nullopt;
    }
    return parse_number<double>(text);
}

std::optional<bool> parse_bool(std::string_view text) noexcept {
    for (const std::string_view yes : {"1", "true", "yes", "on"}) {
        if (text == yes) return true;
    }
    for (const std::string_view no : {"0", "false", "no", "off"}) {
        if (text == no) return false;
    }
    return std::nullopt;
}

}  // namespace rondo
