// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/base64.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace rondo::codec {
namespace {

constexpr std::string_view standard_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t invalid_digit = 64;

using digit_values = std::array<std::uint8_t, 256>;

constexpr digit_values make_digit_values(std::string_view digits) noexcept {
    digit_values values{};
    values.fill(invalid_digit);
    for (std::size_t i = 0; i < digits.size(); ++i) {
        values[static_cast<unsigned char>(digits[i])] = static_cast<std::uint8_t>(i);
    }
    return values;
}

constexpr digit_values standard_values = make_digit_values(standard_digits);
constexpr digit_values url_values = make_digit_values(url_digits);

std::string encode(std::string_view bytes, std::string_view digits, bool pad) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            if (k <= count) {
                out += digits[group >> (18 - 6 * k) & 63];
            } else if (pad) {
                out += '=';
            }
        }
    }
    return out;
}

std::optional<std::string> decode(std::string_view text, const digit_values& values) {
    if (text.size() % 4 == 1) return std::nullopt;
    std::string out;
    out.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    unsigned bit_count = 0;
    for (const char c : text) {
        const std::uint8_t value = values[static_cast<unsigned char>(c)];
        if (value == invalid_digit) return std::nullopt;
        bits = bits << 6 | value;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            out += static_cast<char>(bits >> bit_count & 0xff);
        }
    }
    // Unused bits must be zero; otherwise two texts would decode to the same bytes.
    if ((bits & ((1U << bit_count) - 1)) != 0) return std::nullopt;
    return out;
}

}  // namespace

std::string base64_encode(std::string_view bytes) { return encode(bytes, standard_digits, true); }

std::optional<std::string> base64_decode(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    if (text.ends_with("==")) {
        text.remove_suffix(2);
    } else if (text.ends_with('=')) {
        text.remove_suffix(1);
    }
    return decode(text, standard_values);
}

std::string base64url_encode(std::string_view bytes) { return encode(bytes, url_digits, false); }

std::optional<std::string> base64url_decode(std::string_view text) { return decode(text, url_values); }

}  // namespace rondo::codec
