// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/date.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace rondo::http {
namespace {

constexpr std::array<std::string_view, 7> day_names = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
constexpr std::string_view month_names = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr unix_seconds seconds_per_day = 86400;
constexpr unix_seconds first_time = -62167219200;  // 0000-01-01 00:00:00
constexpr unix_seconds last_time = 253402300799;   // 9999-12-31 23:59:59
constexpr unix_seconds last_now = 250000000000;    // in 9892: fifty years later the year still has four digits
constexpr std::int64_t days_per_era = 146097;      // 400 years
constexpr std::int64_t epoch_day = 719468;         // from 0000-03-01 to 1970-01-01

struct civil_time {
    std::int64_t year = 0;
    int month = 0;  // 1 to 12
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
    int weekday = 0;  // 0 is Sunday
};

// Years begin in March here, so that the leap day comes last. https://howardhinnant.github.io/date_algorithms.html
std::int64_t days_of(std::int64_t year, int month, int day) noexcept {
    year -= month <= 2 ? 1 : 0;
    const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * days_per_era + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - epoch_day;
}

// Within the years 0 to 9999.
civil_time civil_of(unix_seconds time) noexcept {
    const unix_seconds shifted = time - first_time;
    const std::int64_t days = shifted / seconds_per_day + first_time / seconds_per_day;
    const auto rest = static_cast<int>(shifted % seconds_per_day);
    const std::int64_t from_march = days + epoch_day;
    const std::int64_t era = (from_march >= 0 ? from_march : from_march - days_per_era + 1) / days_per_era;
    const std::int64_t of_era = from_march - era * days_per_era;
    const std::int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const std::int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const auto month_from_march = static_cast<int>((5 * of_year + 2) / 153);
    civil_time out;
    out.month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    out.year = year_of_era + era * 400 + (out.month <= 2 ? 1 : 0);
    out.day = static_cast<int>(of_year) - (153 * month_from_march + 2) / 5 + 1;
    out.hour = rest / 3600;
    out.minute = rest / 60 % 60;
    out.second = rest % 60;
    out.weekday = static_cast<int>((days % 7 + 11) % 7);  // 1970-01-01 was a Thursday
    return out;
}

unix_seconds seconds_of(const civil_time& t) noexcept {
    return days_of(t.year, t.month, t.day) * seconds_per_day + t.hour * 3600 + t.minute * 60 + t.second;
}

bool exists(const civil_time& t) noexcept {
    constexpr std::array<int, 12> days = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (t.month < 1 || t.day < 1 || t.hour > 23 || t.minute > 59 || t.second > 60) return false;
    const bool leap = t.year % 4 == 0 && (t.year % 100 != 0 || t.year % 400 == 0);
    return t.day <= days[static_cast<std::size_t>(t.month - 1)] + (leap && t.month == 2 ? 1 : 0);
}

// Takes the parts of a date off the front of the text; after a mismatch everything fails.
class date_reader {
public:
    explicit date_reader(std::string_view text) noexcept : rest_(text) {}

    [[nodiscard]] bool complete() const noexcept { return good_ && rest_.empty(); }

    void literal(std::string_view text) noexcept {
        good_ = good_ && rest_.starts_with(text);
        drop(text.size());
    }

    [[nodiscard]] int number(std::size_t digits) noexcept {
        int value = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            const bool digit = i < rest_.size() && rest_[i] >= '0' && rest_[i] <= '9';
            good_ = good_ && digit;
            value = value * 10 + (digit ? rest_[i] - '0' : 0);
        }
        drop(digits);
        return value;
    }

    // One or two digits, the first perhaps a space (asctime).
    [[nodiscard]] int padded_day() noexcept {
        if (!rest_.starts_with(' ')) return number(2);
        drop(1);
        return number(1);
    }

    [[nodiscard]] int month() noexcept {
        const std::size_t at = rest_.size() < 3 ? std::string_view::npos : month_names.find(rest_.substr(0, 3));
        good_ = good_ && at != std::string_view::npos && at % 3 == 0;
        drop(3);
        return good_ ? static_cast<int>(at / 3) + 1 : 0;
    }

    void time(civil_time& t) noexcept {
        t.hour = number(2);
        literal(":");
        t.minute = number(2);
        literal(":");
        t.second = number(2);
    }

    // The day's name, at `size` letters or in full for 0. Whether it is the right day is not looked at.
    void weekday(std::size_t size) noexcept {
        for (const std::string_view name : day_names) {
            const std::string_view wanted = size == 0 ? name : name.substr(0, size);
            if (!rest_.starts_with(wanted)) continue;
            drop(wanted.size());
            return;
        }
        good_ = false;
    }

private:
    void drop(std::size_t size) noexcept { rest_.remove_prefix(std::min(size, rest_.size())); }

    std::string_view rest_;
    bool good_ = true;
};

bool read_fixdate(std::string_view text, civil_time& t) noexcept {
    date_reader in(text);
    in.weekday(3);
    in.literal(", ");
    t.day = in.number(2);
    in.literal(" ");
    t.month = in.month();
    in.literal(" ");
    t.year = in.number(4);
    in.literal(" ");
    in.time(t);
    in.literal(" GMT");
    return in.complete();
}

bool read_rfc850(std::string_view text, unix_seconds now, civil_time& t) noexcept {
    date_reader in(text);
    in.weekday(0);
    in.literal(", ");
    t.day = in.number(2);
    in.literal("-");
    t.month = in.month();
    in.literal("-");
    const int short_year = in.number(2);
    in.literal(" ");
    in.time(t);
    in.literal(" GMT");
    if (!in.complete()) return false;
    const std::int64_t this_year = civil_of(std::clamp<unix_seconds>(now, 0, last_now)).year;
    t.year = this_year - this_year % 100 + short_year;
    if (t.year > this_year + 50) t.year -= 100;
    if (t.year <= this_year - 50) t.year += 100;
    return true;
}

bool read_asctime(std::string_view text, civil_time& t) noexcept {
    date_reader in(text);
    in.weekday(3);
    in.literal(" ");
    t.month = in.month();
    in.literal(" ");
    t.day = in.padded_day();
    in.literal(" ");
    in.time(t);
    in.literal(" ");
    t.year = in.number(4);
    return in.complete();
}

void put_two(char* out, int number) noexcept {
    out[0] = static_cast<char>('0' + number / 10);
    out[1] = static_cast<char>('0' + number % 10);
}

}  // namespace

char* write_date(char* out, unix_seconds time) noexcept {
    const civil_time t = civil_of(std::clamp(time, first_time, last_time));
    const auto year = static_cast<int>(t.year);
    std::memcpy(out, "Sun, 06 Nov 1994 08:49:37 GMT", date_size);
    std::memcpy(out, day_names[static_cast<std::size_t>(t.weekday)].data(), 3);
    put_two(out + 5, t.day);
    std::memcpy(out + 8, month_names.data() + 3 * (t.month - 1), 3);
    put_two(out + 12, year / 100);
    put_two(out + 14, year % 100);
    put_two(out + 17, t.hour);
    put_two(out + 20, t.minute);
    put_two(out + 23, t.second);
    return out + date_size;
}

std::string format_date(unix_seconds time) {
    std::string out(date_size, ' ');
    write_date(out.data(), time);
    return out;
}

std::optional<unix_seconds> parse_date(std::string_view text, unix_seconds now) noexcept {
    civil_time t;
    if (!read_fixdate(text, t) && !read_rfc850(text, now, t) && !read_asctime(text, t)) return std::nullopt;
    if (!exists(t)) return std::nullopt;
    return seconds_of(t);
}

}  // namespace rondo::http
