// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/typed_rows.hpp>

#include <fmt/format.h>

#include <rondo/base/parse_number.hpp>

namespace rondo::cli {

std::uint64_t parse_bounded_count(std::string_view text, std::uint64_t min, std::uint64_t max) {
    const std::optional<std::uint64_t> n = parse_number<std::uint64_t>(text);
    if (!n || *n < min || *n > max)
        throw std::invalid_argument(fmt::format("'{}' is not a whole number from {} to {}", text, min, max));
    return *n;
}

std::uint64_t parse_bounded_size(std::string_view text, std::uint64_t min, std::uint64_t max) {
    std::uint64_t n = codec::parse_size(text);
    if (n < min || n > max) {
        throw std::invalid_argument(
            fmt::format("'{}' is not between {} and {}", text, codec::size_text(min), codec::size_text(max)));
    }
    return n;
}

bool parse_on_off(std::string_view text) {
    bool value = false;
    detail::parse_setting(text, value);
    return value;
}

void throw_invalid_choice(std::string_view text, std::string_view choices) {
    std::string list;
    for (char c : choices) list += c == '|' ? std::string(", ") : std::string(1, c);
    throw std::invalid_argument(fmt::format("'{}' is not one of {}", text, list));
}

}  // namespace rondo::cli
