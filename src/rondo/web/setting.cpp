// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/setting.hpp>

#include <cmath>
#include <optional>
#include <stdexcept>

#include <fmt/format.h>

#include <rondo/base/parse_number.hpp>
#include <rondo/codec/size_and_duration.hpp>
#include <rondo/web/routing/convert.hpp>

namespace rondo::detail {

namespace {

template <class Number>
void parse_numeric(std::string_view text, Number& to, std::string_view expected) {
    const std::optional<Number> number = parse_number<Number>(text);
    bool valid = number.has_value();
    if constexpr (std::floating_point<Number>) valid = valid && std::isfinite(*number);
    if (!valid) throw std::invalid_argument(fmt::format("'{}' is not {}", text, expected));
    to = *number;
}

}  // namespace

void parse_setting(std::string_view text, std::string& to) { to = text; }

void parse_setting(std::string_view text, bool& to) {
    const std::optional<bool> parsed = parse_bool(text);
    if (!parsed) throw std::invalid_argument(fmt::format("'{}' is not a boolean; expected on or off", text));
    to = *parsed;
}

void parse_setting(std::string_view text, std::int64_t& to) { parse_numeric(text, to, "a whole number"); }
void parse_setting(std::string_view text, double& to) { parse_numeric(text, to, "a number such as 1.5"); }
void parse_setting(std::string_view text, std::chrono::milliseconds& to) { to = codec::parse_duration(text); }
void parse_setting(std::string_view text, byte_size& to) { to.bytes = codec::parse_size(text); }

std::string setting_text(const std::string& value) { return value; }
std::string setting_text(bool value) { return value ? "on" : "off"; }
std::string setting_text(std::int64_t value) { return std::to_string(value); }
std::string setting_text(double value) { return fmt::format("{}", value); }
std::string setting_text(std::chrono::milliseconds value) { return codec::duration_text(value); }
std::string setting_text(byte_size value) { return codec::size_text(value.bytes); }

}  // namespace rondo::detail
