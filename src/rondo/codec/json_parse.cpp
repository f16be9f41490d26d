// SPDX-License-Identifier: Apache-2.0
#include <simdjson.h>

#include <rondo/codec/json.hpp>

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

// The depth is bounded by the parser's.
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

}  // namespace

std::expected<json_value, json_error> parse_json(std::string_view text) {
    simdjson::dom::parser parser;
    if (const auto error = parser.allocate(text.size(), max_json_depth); error != simdjson::SUCCESS) {
        return std::unexpected(json_error{simdjson::error_message(error)});
    }
    const auto parsed = parser.parse(text.data(), text.size());
    if (parsed.error() != simdjson::SUCCESS)
        return std::unexpected(json_error{simdjson::error_message(parsed.error())});
    return convert(parsed.value_unsafe());
}

}  // namespace rondo::codec
