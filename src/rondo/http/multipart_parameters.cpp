// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/multipart_parameters.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <rondo/base/utf8.hpp>
#include <rondo/codec/percent.hpp>
#include <rondo/http/characters.hpp>
#include <rondo/http/fields.hpp>

namespace rondo::http {
namespace {

enum class backslash_mode : std::uint8_t {
    escapes,         ///< any character (RFC 9110)
    escapes_quotes,  ///< a quote or a backslash
    literal,         ///< escapes nothing; before the closing quote it is the last character of the value
};

using characters::field_byte;

bool is_valid_text(std::string_view text) noexcept {
    return std::ranges::all_of(text, [](char c) { return characters::is(c, field_byte); });
}

// Returns true when a value ends before this text.
bool is_value_end(std::string_view text) noexcept {
    skip_spaces(text);
    return text.empty() || text.front() == ';';
}

// Parses from behind the opening quote to the closing one, inclusive.
std::optional<std::string> consume_quoted(std::string_view& text, backslash_mode mode) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const char next = i + 1 < text.size() ? text[i + 1] : '\0';
        if (c == '"') {
            text.remove_prefix(i + 1);
            return out;
        }
        if (c == '\\') {
            const bool pair = next == '"' || next == '\\';
            const bool inner_quote = next == '"' && !is_value_end(text.substr(i + 2));
            const bool escapes = mode == backslash_mode::escapes || (mode == backslash_mode::escapes_quotes && pair) ||
                                 (mode == backslash_mode::literal && inner_quote);
            if (escapes && ++i == text.size()) return std::nullopt;
        }
        out += text[i];
    }
    return std::nullopt;
}

std::optional<form_parameter> consume_parameter(std::string_view& text, backslash_mode mode) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    form_parameter out;
    out.name = trimmed(text.substr(0, equals));
    if (!is_valid_token(out.name)) return std::nullopt;
    std::ranges::transform(out.name, out.name.begin(), characters::to_lower);
    text.remove_prefix(equals + 1);
    skip_spaces(text);
    out.quoted = text.starts_with('"');
    if (out.quoted) {
        text.remove_prefix(1);
        auto value = consume_quoted(text, mode);
        if (!value) return std::nullopt;
        out.value = *std::move(value);
    } else {
        const std::size_t end = std::min(text.find(';'), text.size());
        out.value = trimmed(text.substr(0, end));
        if (out.value.find('"') != std::string::npos) return std::nullopt;
        text.remove_prefix(end);
    }
    return is_value_end(text) ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<std::vector<form_parameter>> parse_parameter_list(std::string_view text, backslash_mode mode) {
    if (!is_valid_text(text)) return std::nullopt;
    std::vector<form_parameter> out;
    for (skip_spaces(text); !text.empty(); skip_spaces(text)) {
        if (text.front() != ';') return std::nullopt;
        text.remove_prefix(1);
        skip_spaces(text);
        if (text.empty() || text.front() == ';') continue;
        auto next = consume_parameter(text, mode);
        if (!next) return std::nullopt;
        out.push_back(*std::move(next));
    }
    return out;
}

std::string latin1_to_utf8(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80) {
            out += c;
        } else {
            out += static_cast<char>(0xc0 | (byte >> 6));
            out += static_cast<char>(0x80 | (byte & 0x3f));
        }
    }
    return out;
}

}  // namespace

std::optional<std::vector<form_parameter>> parse_content_type_parameters(std::string_view text) {
    return parse_parameter_list(text, backslash_mode::escapes);
}

std::optional<std::vector<form_parameter>> parse_disposition_parameters(std::string_view text) {
    auto parsed = parse_parameter_list(text, backslash_mode::escapes_quotes);
    return parsed ? parsed : parse_parameter_list(text, backslash_mode::literal);
}

std::string decode_form_name(std::string_view name) {
    static constexpr std::array<std::pair<std::string_view, char>, 3> escapes{
        {{"%22", '"'}, {"%0D", '\r'}, {"%0A", '\n'}}};
    std::string out;
    out.reserve(name.size());
    while (!name.empty()) {
        const auto found = std::ranges::find_if(escapes, [&](const auto& e) { return name.starts_with(e.first); });
        const bool escape = found != escapes.end();
        out += escape ? found->second : name.front();
        name.remove_prefix(escape ? found->first.size() : 1);
    }
    return out;
}

std::optional<std::string> decode_extended_value(std::string_view text) {
    const std::size_t charset_end = text.find('\'');
    if (charset_end == std::string_view::npos) return std::nullopt;
    const std::size_t language_end = text.find('\'', charset_end + 1);
    if (language_end == std::string_view::npos) return std::nullopt;
    auto value = codec::percent_decode(text.substr(language_end + 1));
    if (!value) return std::nullopt;
    const std::string_view charset = text.substr(0, charset_end);
    if (equals_ignore_case(charset, "iso-8859-1")) value = latin1_to_utf8(*value);
    else if (!equals_ignore_case(charset, "utf-8")) return std::nullopt;
    if (!is_valid_utf8(*value) || !is_valid_text(*value)) return std::nullopt;
    return value;
}

}  // namespace rondo::http
