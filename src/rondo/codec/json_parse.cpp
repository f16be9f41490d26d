// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <system_error>

#include <simdjson.h>

namespace rondo::codec {
namespace {

json_value convert(const simdjson::dom::element& element);

json_value convert(const simdjson::dom::array& elements) {
    json_array out;
    out.reserve(elements.size());
    for (const simdjson::dom::element element : elements) out.push_back(convert(element));
    return out;
}

json_value convert(const simdjson::dom::object& members) {
    json_object out;
    out.reserve(members.size());
    for (const auto member : members) out.push_back({std::string(member.key), convert(member.value)});
    return out;
}

// The parser limits the depth of the recursion.
json_value convert(const simdjson::dom::element& element) {
    switch (element.type()) {
        case simdjson::dom::element_type::ARRAY: return convert(simdjson::dom::array(element));
        case simdjson::dom::element_type::OBJECT: return convert(simdjson::dom::object(element));
        case simdjson::dom::element_type::INT64: return std::int64_t(element);
        case simdjson::dom::element_type::UINT64: return std::uint64_t(element);
        case simdjson::dom::element_type::DOUBLE: return double(element);
        case simdjson::dom::element_type::STRING: return std::string_view(element);
        case simdjson::dom::element_type::BOOL: return bool(element);
        case simdjson::dom::element_type::NULL_VALUE: break;
    }
    return {};
}

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool fits_64_bits(std::string_view digits) noexcept {
    std::int64_t number = 0;
    std::uint64_t positive = 0;
    const char* const end = digits.data() + digits.size();
    return std::from_chars(digits.data(), end, number).ec == std::errc{} ||
           std::from_chars(digits.data(), end, positive).ec == std::errc{};
}

// The position after the string whose opening quote is at `at`.
std::size_t end_of_string(std::string_view text, std::size_t at) noexcept {
    for (++at; at < text.size() && text[at] != '"'; ++at)
        if (text[at] == '\\') ++at;
    return std::min(at + 1, text.size());
}

// Appends an exponent to integers of more than 64 bits, so that they are parsed as doubles: JavaScript writes such
// numbers up to 1e21, databases even longer ones.
std::string with_large_numbers_as_doubles(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 16);
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t begin = at;
        if (text[at] == '"') {
            at = end_of_string(text, at);
        } else if (text[at] == '-' || is_digit(text[at])) {
            ++at;
            while (at < text.size() && is_digit(text[at])) ++at;
            const bool whole = at == text.size() || (text[at] != '.' && text[at] != 'e' && text[at] != 'E');
            const std::string_view number = text.substr(begin, at - begin);
            // Skips the digits of a fraction or an exponent.
            while (!whole && at < text.size() && std::string_view("0123456789.eE+-").contains(text[at])) ++at;
            out += text.substr(begin, at - begin);
            if (whole && !fits_64_bits(number)) out += "e0";
            continue;
        } else {
            ++at;
        }
        out += text.substr(begin, at - begin);
    }
    return out;
}

std::expected<json_value, simdjson::error_code> parse(std::string_view text) {
    simdjson::dom::parser parser;
    if (const auto error = parser.allocate(text.size(), max_json_depth); error != simdjson::SUCCESS)
        return std::unexpected(error);
    const auto parsed = parser.parse(text.data(), text.size());
    if (parsed.error() != simdjson::SUCCESS) return std::unexpected(parsed.error());
    return convert(parsed.value_unsafe());
}

}  // namespace

std::expected<json_value, json_error> parse_json(std::string_view text) {
    // RFC 8259 section 8.1 allows parsers to ignore a byte order mark.
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    auto value = parse(text);
    if (!value && value.error() == simdjson::NUMBER_ERROR) value = parse(with_large_numbers_as_doubles(text));
    if (value) return *std::move(value);
    return std::unexpected(json_error{simdjson::error_message(value.error())});
}

}  // namespace rondo::codec
