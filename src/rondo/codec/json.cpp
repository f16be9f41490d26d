// SPDX-License-Identifier: Apache-2.0
#include <rondo/codec/json.hpp>

#include <charconv>
#include <cmath>
#include <stdexcept>

#include <rondo/base/utf8.hpp>

namespace rondo::codec {
namespace {

const json_value& null_value() noexcept {
    static const json_value null;
    return null;
}

template <class Number, class... Format>
void append_number(std::string& out, Number number, Format... format) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, number, format...).ptr;
    out.append(digits, end);
}

void append_double(std::string& out, double number) {
    if (!std::isfinite(number)) {
        out += "null";
        return;
    }
    // "-0" would be parsed as the integer 0.
    if (number == 0 && std::signbit(number)) {
        out += "-0.0";
        return;
    }
    // More digits without a point or an exponent would be parsed as an integer, but not fit into one.
    constexpr double fixed_limit = 1e18;
    if (std::abs(number) < fixed_limit) {
        append_number(out, number);
    } else {
        append_number(out, number, std::chars_format::scientific);
    }
}

void append_escape(std::string& out, unsigned char c) {
    switch (c) {
        case '"': out += "\\\""; return;
        case '\\': out += "\\\\"; return;
        case '\b': out += "\\b"; return;
        case '\f': out += "\\f"; return;
        case '\n': out += "\\n"; return;
        case '\r': out += "\\r"; return;
        case '\t': out += "\\t"; return;
        default: break;
    }
    constexpr std::string_view digits = "0123456789abcdef";
    out += "\\u00";
    out += digits[c >> 4];
    out += digits[c & 15];
}

[[noreturn]] void throw_type_error(const char* expected) {
    throw std::invalid_argument(std::string("the JSON value is not ") + expected);
}

bool is_exact_integer(double number) noexcept {
    constexpr double limit = 9223372036854775808.0;  // 2^63
    return number >= -limit && number < limit && std::trunc(number) == number;
}

}  // namespace

json_value::json_value() noexcept = default;
json_value::json_value(scalar value) noexcept {
    std::visit([this](auto v) { value_ = v; }, value);
}
json_value::json_value(std::string value) : value_(std::move(value)) {}
json_value::json_value(std::string_view value) : value_(std::string(value)) {}
json_value::json_value(const char* value) : value_(std::string(value)) {}
json_value::json_value(json_array value) : value_(std::move(value)) {}
json_value::json_value(json_object value) : value_(std::move(value)) {}
json_value::json_value(const json_value&) = default;
json_value::json_value(json_value&&) noexcept = default;
json_value& json_value::operator=(const json_value&) = default;
json_value& json_value::operator=(json_value&&) noexcept = default;
json_value::~json_value() = default;

json_value json_value::object(std::initializer_list<json_member> members) {
    json_value out{json_object()};
    for (const json_member& member : members) out.set(member.name, member.value);
    return out;
}

json_value json_value::array(std::initializer_list<json_value> elements) { return json_array(elements); }

bool json_value::is_number() const noexcept {
    return std::holds_alternative<std::int64_t>(value_) || std::holds_alternative<std::uint64_t>(value_) ||
           std::holds_alternative<double>(value_);
}

std::optional<bool> json_value::if_bool() const noexcept {
    const bool* const value = std::get_if<bool>(&value_);
    return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<std::int64_t> json_value::if_integer() const noexcept {
    if (const auto* const value = std::get_if<std::int64_t>(&value_)) return *value;
    if (const auto* const value = std::get_if<std::uint64_t>(&value_)) {
        return std::in_range<std::int64_t>(*value) ? std::optional(static_cast<std::int64_t>(*value)) : std::nullopt;
    }
    const auto* const value = std::get_if<double>(&value_);
    if (value == nullptr || !is_exact_integer(*value)) return std::nullopt;
    return static_cast<std::int64_t>(*value);
}

std::optional<double> json_value::if_number() const noexcept {
    if (const auto* const value = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*value);
    if (const auto* const value = std::get_if<std::uint64_t>(&value_)) return static_cast<double>(*value);
    const auto* const value = std::get_if<double>(&value_);
    return value == nullptr ? std::nullopt : std::optional(*value);
}

bool json_value::as_bool() const {
    const auto value = if_bool();
    return value ? *value : (throw_type_error("a boolean"), false);
}

std::int64_t json_value::as_integer() const {
    const auto value = if_integer();
    return value ? *value : (throw_type_error("a 64-bit integer"), 0);
}

double json_value::as_number() const {
    const auto value = if_number();
    return value ? *value : (throw_type_error("a number"), 0);
}

const std::string& json_value::as_string() const {
    const std::string* const value = if_string();
    if (value == nullptr) throw_type_error("a string");
    return *value;
}

const json_array& json_value::as_array() const {
    const json_array* const value = if_array();
    if (value == nullptr) throw_type_error("an array");
    return *value;
}

const json_object& json_value::as_object() const {
    const json_object* const value = if_object();
    if (value == nullptr) throw_type_error("an object");
    return *value;
}

const json_value* json_value::find(std::string_view name) const noexcept {
    const json_object* const members = if_object();
    if (members == nullptr) return nullptr;
    for (auto member = members->rbegin(); member != members->rend(); ++member) {
        if (member->name == name) return &member->value;
    }
    return nullptr;
}

const json_value& json_value::operator[](std::string_view name) const noexcept {
    const json_value* const found = find(name);
    return found == nullptr ? null_value() : *found;
}

const json_value& json_value::operator[](std::size_t index) const noexcept {
    const json_array* const elements = if_array();
    return elements == nullptr || index >= elements->size() ? null_value() : (*elements)[index];
}

std::size_t json_value::size() const noexcept {
    if (const json_array* const elements = if_array()) return elements->size();
    const json_object* const members = if_object();
    return members == nullptr ? 0 : members->size();
}

void json_value::set(std::string name, json_value value) {
    if (is_null()) value_ = json_object();
    json_object* const members = std::get_if<json_object>(&value_);
    if (members == nullptr) throw_type_error("an object: cannot set a member");
    for (json_member& member : *members) {
        if (member.name == name) {
            member.value = std::move(value);
            return;
        }
    }
    members->push_back({std::move(name), std::move(value)});
}

void json_value::push_back(json_value value) {
    if (is_null()) value_ = json_array();
    json_array* const elements = std::get_if<json_array>(&value_);
    if (elements == nullptr) throw_type_error("an array: cannot append an element");
    elements->push_back(std::move(value));
}

bool operator==(const json_value& a, const json_value& b) {
    const auto integer = a.if_integer();
    if (integer && integer == b.if_integer()) return true;
    return a.value_ == b.value_;
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    std::size_t done = 0;
    std::size_t at = 0;
    const auto flush = [&](std::size_t skip) {
        out.append(text, done, at - done);
        at += skip;
        done = at;
    };
    while (at < text.size()) {
        const auto c = static_cast<unsigned char>(text[at]);
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            ++at;
        } else if (c < 0x80) {
            flush(1);
            append_escape(out, c);
        } else if (const std::size_t size = utf8_sequence_length(text.substr(at)); size != 0) {
            at += size;
        } else {
            flush(1);
            out += "\xEF\xBF\xBD";
        }
    }
    flush(0);
    out += '"';
}

void append_json(std::string& out, const json_value& value) {
    json_writer writer(out);
    if (const json_array* const elements = value.if_array()) {
        writer.begin_array();
        for (const json_value& element : *elements) writer.value(element);
        writer.end_array();
    } else if (const json_object* const members = value.if_object()) {
        writer.begin_object();
        for (const json_member& member : *members) writer.key(member.name).value(member.value);
        writer.end_object();
    } else if (const std::string* const text = value.if_string()) {
        append_json_string(out, *text);
    } else if (const auto* const real = std::get_if<double>(&value.value_)) {
        append_double(out, *real);
    } else if (const auto* const big = std::get_if<std::uint64_t>(&value.value_)) {
        append_number(out, *big);
    } else if (const auto* const integer = std::get_if<std::int64_t>(&value.value_)) {
        append_number(out, *integer);
    } else {
        out += value.is_null() ? "null" : value.as_bool() ? "true" : "false";
    }
}

std::string to_string(const json_value& value) {
    std::string out;
    append_json(out, value);
    return out;
}

void json_writer::separate() {
    if (!first_) out_ += ',';
    first_ = false;
}

json_writer& json_writer::begin_object() {
    separate();
    out_ += '{';
    first_ = true;
    return *this;
}

json_writer& json_writer::end_object() {
    out_ += '}';
    first_ = false;
    return *this;
}

json_writer& json_writer::begin_array() {
    separate();
    out_ += '[';
    first_ = true;
    return *this;
}

json_writer& json_writer::end_array() {
    out_ += ']';
    first_ = false;
    return *this;
}

json_writer& json_writer::key(std::string_view name) {
    separate();
    append_json_string(out_, name);
    out_ += ':';
    first_ = true;
    return *this;
}

json_writer& json_writer::value(std::nullptr_t) {
    separate();
    out_ += "null";
    return *this;
}

json_writer& json_writer::value(bool flag) {
    separate();
    out_ += flag ? "true" : "false";
    return *this;
}

json_writer& json_writer::value(std::int64_t number) {
    separate();
    append_number(out_, number);
    return *this;
}

json_writer& json_writer::value(std::uint64_t number) {
    separate();
    append_number(out_, number);
    return *this;
}

json_writer& json_writer::value(double number) {
    separate();
    append_double(out_, number);
    return *this;
}

json_writer& json_writer::value(std::string_view text) {
    separate();
    append_json_string(out_, text);
    return *this;
}

json_writer& json_writer::value(const json_value& any) {
    separate();
    append_json(out_, any);
    return *this;
}

}  // namespace rondo::codec
