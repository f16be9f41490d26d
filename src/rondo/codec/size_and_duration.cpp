// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/size_and_duration.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

namespace rondo::codec {

namespace {

using unit = std::pair<std::string_view, double>;

constexpr std::array<unit, 5> duration_units{{{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}}};
constexpr std::array<unit, 8> size_units{{{"", 1},
                                          {"B", 1},
                                          {"kB", 1e3},
                                          {"MB", 1e6},
                                          {"GB", 1e9},
                                          {"KiB", 1024},
                                          {"MiB", 1024.0 * 1024},
                                          {"GiB", 1024.0 * 1024 * 1024}}};

template <std::size_t N>
double parse(std::string_view text, const std::array<unit, N>& units, double max, const char* expected) {
    double number = 0;
    auto [unit_begin, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    std::string_view name(unit_begin, static_cast<std::size_t>(text.data() + text.size() - unit_begin));
    if (error == std::errc{} && std::isfinite(number) && number >= 0) {
        for (const unit& u : units)
            if (name == u.first && number * u.second <= max) return number * u.second;
    }
    throw std::invalid_argument(fmt::format("'{}' is not {}", text, expected));
}

}  // namespace

std::chrono::milliseconds parse_duration(std::string_view text) {
    constexpr double year_ms = 365.0 * 24 * 3'600'000;
    double ms =
        parse(text, duration_units, year_ms, "a duration; expected for example 250ms, 3s, 2m or 1h (at most a year)");
    return std::chrono::milliseconds(std::llround(ms));
}

std::uint64_t parse_size(std::string_view text) {
    constexpr double max = 1e15;
    double bytes = parse(text, size_units, max, "a size; expected for example 65536, 512KiB, 1MiB or 2GiB");
    return static_cast<std::uint64_t>(std::llround(bytes));
}

std::string duration_text(std::chrono::milliseconds duration) {
    const auto ms = duration.count();
    if (ms % 1000 != 0) return fmt::format("{}ms", ms);
    if (ms != 0 && ms % 3'600'000 == 0) return fmt::format("{}h", ms / 3'600'000);
    return fmt::format("{}s", ms / 1000);
}

std::string size_text(std::uint64_t bytes) {
    for (const auto& [suffix, bits] : {std::pair{"GiB", 30}, std::pair{"MiB", 20}, std::pair{"KiB", 10}}) {
        if (bytes != 0 && bytes % (std::uint64_t{1} << bits) == 0) return fmt::format("{}{}", bytes >> bits, suffix);
    }
    return fmt::format("{}", bytes);
}

}  // namespace rondo::codec
