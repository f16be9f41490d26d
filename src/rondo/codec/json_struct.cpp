// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/json_struct.hpp>

namespace rondo::codec::detail {

std::string read_member(const json_value& from, bool& into) {
    const auto value = from.if_bool();
    if (!value) return "is not true or false";
    into = *value;
    return {};
}

std::string read_member(const json_value& from, std::string& into) {
    const std::string* const text = from.if_string();
    if (text == nullptr) return "is not a text";
    into = *text;
    return {};
}

std::string read_member(const json_value& from, double& into) {
    const auto number = from.if_number();
    if (!number) return "is not a number";
    into = *number;
    return {};
}

std::string read_member(const json_value& from, json_value& into) {
    into = from;
    return {};
}

std::string read_whole(const json_value& from, std::int64_t least, std::uint64_t greatest, std::int64_t& into) {
    const auto value = from.if_integer();
    if (!value || *value < least || (*value > 0 && static_cast<std::uint64_t>(*value) > greatest))
        return "is not a whole number that fits";
    into = *value;
    return {};
}

std::string not_an_object() { return "is not an object"; }
std::string not_an_array() { return "is not an array"; }
std::string is_missing() { return "is missing"; }

namespace {

// The place and the rest of "'a.b' is missing"; no place in "is missing".
std::string joined(std::string outer, std::string_view problem) {
    if (!problem.starts_with('\'')) return "'" + outer + "' " + std::string(problem);
    if (problem[1] != '[') outer += '.';
    return "'" + outer + std::string(problem.substr(1));
}

}  // namespace

std::string within(std::string_view name, std::string_view problem) { return joined(std::string(name), problem); }

std::string within(std::size_t index, std::string_view problem) {
    return joined("[" + std::to_string(index) + "]", problem);
}

}  // namespace rondo::codec::detail
