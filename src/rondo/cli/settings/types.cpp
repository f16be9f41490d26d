// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/types.hpp>

#include <fmt/format.h>

namespace rondo::cli {

std::uint64_t read_count(std::string_view text, std::uint64_t least, std::uint64_t most) {
    std::uint64_t n = 0;
    auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc{} || rest != text.data() + text.size() || n < least || n > most)
        throw std::invalid_argument(fmt::format("'{}' is not a whole number from {} to {}", text, least, most));
    return n;
}

std::uint64_t read_size(std::string_view text, std::uint64_t least, std::uint64_t most) {
    std::uint64_t n = codec::parse_size(text);
    if (n < least || n > most) {
        throw std::invalid_argument(
            fmt::format("'{}' is not between {} and {}", text, codec::size_text(least), codec::size_text(most)));
    }
    return n;
}

bool read_on_off(std::string_view text) {
    bool value = false;
    detail::read_setting(text, value);
    return value;
}

void refuse_choice(std::string_view text, std::string_view all) {
    std::string words;
    for (char c : all) words += c == '|' ? std::string(", ") : std::string(1, c);
    throw std::invalid_argument(fmt::format("'{}' is not one of {}", text, words));
}

}  // namespace rondo::cli
