// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/json_struct.hpp>

namespace rondo::codec::detail {

std::string read_member(const json_value& from, bool& into) {
    const auto value = from.if_bool();
    if (!value) return "is not a boolean";
    into = *value;
    return {};
}

std::string read_member(const json_value& from, std::string& into) {
    const std::string* const value = from.if_string();
    if (value == nullptr) return "is not a string";
    into = *value;
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

std::string read_integer(const json_value& from, std::int64_t min, std::uint64_t max, std::int64_t& into) {
    const auto value = from.if_integer();
    if (!value || *value < min || (*value > 0 && static_cast<std::uint64_t>(*value) > max))
        return "is not an integer in range";
    into = *value;
    return {};
}

std::string not_an_object_error() { return "is not an object"; }
std::string not_an_array_error() { return "is not an array"; }
std::string missing_error() { return "is missing"; }

namespace {

// Prefixes the quoted path at the start of the error, or adds one.
std::string prepend_path(std::string outer, std::string_view error) {
    if (!error.starts_with('\'')) return "'" + outer + "' " + std::string(error);
    if (error[1] != '[') outer += '.';
    return "'" + outer + std::string(error.substr(1));
}

}  // namespace

std::string with_path(std::string_view name, std::string_view error) { return prepend_path(std::string(name), error); }

std::string with_path(std::size_t index, std::string_view error) {
    return prepend_path("[" + std::to_string(index) + "]", error);
}

}  // namespace rondo::codec::detail
