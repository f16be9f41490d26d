// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/date.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

namespace rondo::http {
namespace {

constexpr std::array<std::string_view, 7> day_names = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
constexpr std::string_view month_names = "JanFebMarAprMayJunJulAugSepOctNovDec";
constexpr unix_seconds min_time = -62167219200;  // 0000-01-01 00:00:00
constexpr unix_seconds max_time = 253402300799;  // 9999-12-31 23:59:59
constexpr unix_seconds max_now = 250000000000;   // in 9892: fifty years later the year still has four digits

// The fields of a date as written; they need not form an existing date.
struct date_fields {
    int year = 0;
    int month = 0;  // 1 to 12
    int day = 0;
    int hour = 0;
    int minute = 0;
    int second = 0;
};

std::chrono::sys_seconds time_point_of(unix_seconds time) noexcept {
    return std::chrono::sys_seconds(std::chrono::seconds(time));
}

std::chrono::year_month_day civil_date(const date_fields& f) noexcept {
    return {std::chrono::year(f.year), std::chrono::month(static_cast<unsigned>(f.month)),
            std::chrono::day(static_cast<unsigned>(f.day))};
}

// A leap second is allowed at any time.
bool is_valid(const date_fields& f) noexcept {
    return civil_date(f).ok() && f.hour <= 23 && f.minute <= 59 && f.second <= 60;
}

unix_seconds to_unix_seconds(const date_fields& f) noexcept {
    const std::chrono::sys_seconds midnight = std::chrono::sys_days(civil_date(f));
    return midnight.time_since_epoch().count() + f.hour * 3600 + f.minute * 60 + f.second;
}

// Consumes the parts of a date from the front of the text. After a mismatch complete() is false.
class date_reader {
public:
    explicit date_reader(std::string_view text) noexcept : remaining_(text) {}

    [[nodiscard]] bool complete() const noexcept { return matches_ && remaining_.empty(); }

    void literal(std::string_view text) noexcept {
        matches_ = matches_ && remaining_.starts_with(text);
        advance(text.size());
    }

    [[nodiscard]] int number(std::size_t digits) noexcept {
        int value = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            const bool digit = i < remaining_.size() && remaining_[i] >= '0' && remaining_[i] <= '9';
            matches_ = matches_ && digit;
            value = value * 10 + (digit ? remaining_[i] - '0' : 0);
        }
        advance(digits);
        return value;
    }

    // Two digits, or a space and one digit (asctime).
    [[nodiscard]] int padded_day() noexcept {
        if (!remaining_.starts_with(' ')) return number(2);
        advance(1);
        return number(1);
    }

    [[nodiscard]] int month() noexcept {
        const std::size_t at =
            remaining_.size() < 3 ? std::string_view::npos : month_names.find(remaining_.substr(0, 3));
        matches_ = matches_ && at != std::string_view::npos && at % 3 == 0;
        advance(3);
        return matches_ ? static_cast<int>(at / 3) + 1 : 0;
    }

    void time(date_fields& f) noexcept {
        f.hour = number(2);
        literal(":");
        f.minute = number(2);
        literal(":");
        f.second = number(2);
    }

    // The name of a day: its first `size` letters, or all of them for 0. Not compared with the date.
    void weekday(std::size_t size) noexcept {
        for (const std::string_view name : day_names) {
            const std::string_view expected = size == 0 ? name : name.substr(0, size);
            if (!remaining_.starts_with(expected)) continue;
            advance(expected.size());
            return;
        }
        matches_ = false;
    }

private:
    void advance(std::size_t size) noexcept { remaining_.remove_prefix(std::min(size, remaining_.size())); }

    std::string_view remaining_;
    bool matches_ = true;
};

bool read_fixdate(std::string_view text, date_fields& f) noexcept {
    date_reader in(text);
    in.weekday(3);
    in.literal(", ");
    f.day = in.number(2);
    in.literal(" ");
    f.month = in.month();
    in.literal(" ");
    f.year = in.number(4);
    in.literal(" ");
    in.time(f);
    in.literal(" GMT");
    return in.complete();
}

bool read_rfc850(std::string_view text, unix_seconds now, date_fields& f) noexcept {
    date_reader in(text);
    in.weekday(0);
    in.literal(", ");
    f.day = in.number(2);
    in.literal("-");
    f.month = in.month();
    in.literal("-");
    const int short_year = in.number(2);
    in.literal(" ");
    in.time(f);
    in.literal(" GMT");
    if (!in.complete()) return false;
    const auto today = std::chrono::floor<std::chrono::days>(time_point_of(std::clamp<unix_seconds>(now, 0, max_now)));
    const auto this_year = static_cast<int>(std::chrono::year_month_day(today).year());
    f.year = this_year - this_year % 100 + short_year;
    if (f.year > this_year + 50) f.year -= 100;
    if (f.year <= this_year - 50) f.year += 100;
    return true;
}

bool read_asctime(std::string_view text, date_fields& f) noexcept {
    date_reader in(text);
    in.weekday(3);
    in.literal(" ");
    f.month = in.month();
    in.literal(" ");
    f.day = in.padded_day();
    in.literal(" ");
    in.time(f);
    in.literal(" ");
    f.year = in.number(4);
    return in.complete();
}

void write_two_digits(char* out, unsigned number) noexcept {
    out[0] = static_cast<char>('0' + number / 10);
    out[1] = static_cast<char>('0' + number % 10);
}

}  // namespace

char* write_date(char* out, unix_seconds time) noexcept {
    const std::chrono::sys_seconds at = time_point_of(std::clamp(time, min_time, max_time));
    const auto midnight = std::chrono::floor<std::chrono::days>(at);
    const std::chrono::year_month_day date(midnight);
    const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
    const auto month = static_cast<unsigned>(date.month());
    const auto second = static_cast<unsigned>((at - midnight).count());
    std::memcpy(out, "Sun, 06 Nov 1994 08:49:37 GMT", date_size);
    std::memcpy(out, day_names[std::chrono::weekday(midnight).c_encoding()].data(), 3);
    write_two_digits(out + 5, static_cast<unsigned>(date.day()));
    std::memcpy(out + 8, month_names.data() + 3 * (month - 1), 3);
    write_two_digits(out + 12, year / 100);
    write_two_digits(out + 14, year % 100);
    write_two_digits(out + 17, second / 3600);
    write_two_digits(out + 20, second / 60 % 60);
    write_two_digits(out + 23, second % 60);
    return out + date_size;
}

std::string format_date(unix_seconds time) {
    std::string out(date_size, ' ');
    write_date(out.data(), time);
    return out;
}

std::optional<unix_seconds> parse_date(std::string_view text, unix_seconds now) noexcept {
    date_fields f;
    if (!read_fixdate(text, f) && !read_rfc850(text, now, f) && !read_asctime(text, f)) return std::nullopt;
    if (!is_valid(f)) return std::nullopt;
    return to_unix_seconds(f);
}

}  // namespace rondo::http
