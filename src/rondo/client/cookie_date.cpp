// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>

#include <rondo/client/cookie.hpp>
#include <rondo/http/characters.hpp>
#include <rondo/http/fields.hpp>

// Dates of cookies (RFC 6265 section 5.1.1).
namespace rondo::detail {

namespace {

using http::characters::digit;
using http::characters::is;

bool is_delimiter(char byte) noexcept {
    const auto c = static_cast<unsigned char>(byte);
    return c == 0x09 || (c >= 0x20 && c <= 0x2f) || (c >= 0x3b && c <= 0x40) || (c >= 0x5b && c <= 0x60) ||
           (c >= 0x7b && c <= 0x7e);
}

// Removes a number of `min` to `max` digits from the front; nothing when there are fewer or more.
std::optional<int> parse_digits(std::string_view& text, std::size_t min, std::size_t max) noexcept {
    std::size_t size = 0;
    int value = 0;
    while (size < text.size() && size <= max && is(text[size], digit)) value = value * 10 + (text[size++] - '0');
    if (size < min || size > max) return std::nullopt;
    text.remove_prefix(size);
    return value;
}

struct date_parts {
    std::optional<int> day;
    std::optional<int> month;
    std::optional<int> year;
    std::optional<std::chrono::seconds> time;
    bool valid = true;

    [[nodiscard]] bool parse_time(std::string_view token) noexcept {
        const auto hour = parse_digits(token, 1, 2);
        if (!hour || !token.starts_with(':')) return false;
        token.remove_prefix(1);
        const auto minute = parse_digits(token, 1, 2);
        if (!minute || !token.starts_with(':')) return false;
        token.remove_prefix(1);
        const auto second = parse_digits(token, 1, 2);
        if (!second) return false;
        valid = valid && *hour <= 23 && *minute <= 59 && *second <= 59;
        time = std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
        return true;
    }

    [[nodiscard]] bool parse_month(std::string_view token) noexcept {
        constexpr std::string_view names = "JanFebMarAprMayJunJulAugSepOctNovDec";
        for (std::size_t at = 0; at < names.size() && token.size() >= 3; at += 3) {
            if (!http::equals_ignore_case(token.substr(0, 3), names.substr(at, 3))) continue;
            month = static_cast<int>(at / 3) + 1;
            return true;
        }
        return false;
    }

    void parse_token(std::string_view token) noexcept {
        if (!time && parse_time(token)) return;
        if (!day) {
            std::string_view remaining = token;
            day = parse_digits(remaining, 1, 2);
            if (day) return;
        }
        if (!month && parse_month(token)) return;
        if (!year) year = parse_digits(token, 2, 4);
    }
};

}  // namespace

std::optional<http::unix_seconds> parse_cookie_date(std::string_view text) noexcept {
    date_parts parts;
    while (!text.empty()) {
        const std::size_t size = static_cast<std::size_t>(std::ranges::find_if(text, is_delimiter) - text.begin());
        if (size > 0) parts.parse_token(text.substr(0, size));
        text.remove_prefix(std::min(size + 1, text.size()));
    }
    if (!parts.valid || !parts.day || !parts.month || !parts.year || !parts.time) return std::nullopt;
    int year = *parts.year;
    if (year < 100) year += year >= 70 ? 1900 : 2000;
    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(*parts.month)),
                                           std::chrono::day(static_cast<unsigned>(*parts.day))};
    if (year < 1601 || !date.ok()) return std::nullopt;
    const std::chrono::seconds time = std::chrono::sys_days(date).time_since_epoch() + *parts.time;
    return time.count();
}

}  // namespace rondo::detail
