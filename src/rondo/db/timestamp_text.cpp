// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/timestamp_text.hpp>

#include <charconv>

#include <fmt/compile.h>
#include <fmt/format.h>

namespace rondo::db {

namespace {

using namespace std::chrono;

// Reads from the front of a text.
class timestamp_reader {
public:
    explicit timestamp_reader(std::string_view text) noexcept : remaining_(text) {}

    [[nodiscard]] bool at_end() const noexcept { return remaining_.empty(); }
    bool skip(char c) noexcept {
        if (remaining_.empty() || remaining_.front() != c) return false;
        remaining_.remove_prefix(1);
        return true;
    }
    /// Reads exactly this number of digits.
    bool read_number(std::size_t digits, int& value) noexcept {
        if (remaining_.size() < digits) return false;
        value = 0;
        for (char c : remaining_.substr(0, digits)) {
            if (c < '0' || c > '9') return false;
            value = value * 10 + (c - '0');
        }
        remaining_.remove_prefix(digits);
        return true;
    }
    /// Reads the digits after a decimal point as microseconds, truncated.
    bool read_fraction(int& value) noexcept {
        std::size_t digits = 0;
        value = 0;
        for (; digits < remaining_.size() && remaining_[digits] >= '0' && remaining_[digits] <= '9'; ++digits)
            if (digits < 6) value = value * 10 + (remaining_[digits] - '0');
        for (std::size_t i = digits; i < 6; ++i) value *= 10;
        remaining_.remove_prefix(digits);
        return digits > 0;
    }

private:
    std::string_view remaining_;
};

bool read_date(timestamp_reader& input, sys_days& day) noexcept {
    int y = 0;
    int m = 0;
    int d = 0;
    if (!input.read_number(4, y) || !input.skip('-') || !input.read_number(2, m) || !input.skip('-') ||
        !input.read_number(2, d))
        return false;
    const year_month_day date(year(y), month(static_cast<unsigned>(m)), std::chrono::day(static_cast<unsigned>(d)));
    day = date;
    return date.ok();
}

bool read_time_of_day(timestamp_reader& input, microseconds& time) noexcept {
    int h = 0;
    int m = 0;
    int s = 0;
    int us = 0;
    if (!input.read_number(2, h) || !input.skip(':') || !input.read_number(2, m)) return false;
    if (input.skip(':') && !input.read_number(2, s)) return false;
    if (input.skip('.') && !input.read_fraction(us)) return false;
    time = hours(h) + minutes(m) + seconds(s) + microseconds(us);
    const bool midnight = h == 24 && m == 0 && s == 0 && us == 0;
    return (h < 24 || midnight) && m < 60 && s < 61;
}

bool read_offset(timestamp_reader& input, seconds& offset) noexcept {
    if (input.at_end() || input.skip('Z')) return true;
    const bool west = input.skip('-');
    int h = 0;
    int m = 0;
    int s = 0;
    if (!west && !input.skip('+')) return false;
    if (!input.read_number(2, h)) return false;
    if (input.skip(':') && !input.read_number(2, m)) return false;
    if (input.skip(':') && !input.read_number(2, s)) return false;
    offset = (west ? -1 : 1) * (hours(h) + minutes(m) + seconds(s));
    return true;
}

}  // namespace

bool append_timestamp(std::string& out, time_point point) {
    const auto day = floor<days>(point);
    // Checked before conversion: std::chrono::year has 16 bits and wraps around.
    if (day < sys_days(year(1) / 1 / 1) || day > sys_days(year(9999) / 12 / 31)) return false;
    const year_month_day date(day);
    const int y = static_cast<int>(date.year());
    const hh_mm_ss time(point - day);
    fmt::format_to(std::back_inserter(out), FMT_COMPILE("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}"), y,
                   static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                   time.minutes().count(), time.seconds().count(), time.subseconds().count());
    return true;
}

std::optional<time_point> parse_timestamp(std::string_view text) noexcept {
    timestamp_reader input(text);
    sys_days day;
    microseconds time{0};
    seconds offset{0};
    if (!read_date(input, day)) return std::nullopt;
    if (!input.at_end()) {
        if (!input.skip(' ') && !input.skip('T')) return std::nullopt;
        if (!read_time_of_day(input, time) || !read_offset(input, offset) || !input.at_end()) return std::nullopt;
    }
    return time_point(day) + time - offset;
}

}  // namespace rondo::db
