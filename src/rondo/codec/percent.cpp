// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/percent.hpp>

#include <cstddef>

namespace rondo::codec {
namespace {

constexpr std::string_view upper_digits = "0123456789ABCDEF";

bool is_unescaped(char c, percent_set keep) noexcept {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter || (c >= '0' && c <= '9')) return true;
    if (c == '-' || c == '.' || c == '_' || c == '~') return true;
    if (keep == percent_set::url) return std::string_view("/?#[]@!$&'()*+,;=:%").find(c) != std::string_view::npos;
    return keep == percent_set::path && std::string_view("/!$&'()*+,;=:@").find(c) != std::string_view::npos;
}

int hex_digit_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::string percent_encode(std::string_view text, percent_set keep) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (is_unescaped(c, keep)) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += {'%', upper_digits[byte >> 4], upper_digits[byte & 15]};
    }
    return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (text.size() - i < 3) return std::nullopt;
        const int high = hex_digit_value(text[i + 1]);
        const int low = hex_digit_value(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high << 4 | low);
        i += 2;
    }
    return out;
}

}  // namespace rondo::codec
