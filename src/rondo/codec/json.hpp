// SPDX-License-Identifier: Apache-2.0
// JSON values, parser and writer (RFC 8259).
// Implemented in json.cpp and json_parse.cpp.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace rondo::codec {

class json_value;
struct json_member;
using json_array = std::vector<json_value>;
/// Members in the order of the text or of insertion.
using json_object = std::vector<json_member>;

/// A JSON value that owns its content (RFC 8259). The `as_...` functions throw std::invalid_argument with a message for
/// users when it has another type; the `if_...` functions return nothing instead.
class json_value {
public:
    json_value() noexcept;
    json_value(std::nullptr_t) noexcept : json_value() {}
    template <std::same_as<bool> Bool>
    json_value(Bool value) : json_value(scalar{value}) {}
    template <std::signed_integral Integer>
    json_value(Integer value) : json_value(scalar{static_cast<std::int64_t>(value)}) {}
    template <std::unsigned_integral Integer>
        requires(!std::same_as<Integer, bool>)
    json_value(Integer value) : json_value(scalar{static_cast<std::uint64_t>(value)}) {}
    json_value(double value) : json_value(scalar{value}) {}
    json_value(std::string value);
    json_value(std::string_view value);
    json_value(const char* value);
    json_value(json_array value);
    json_value(json_object value);
    json_value(const json_value&);
    json_value(json_value&&) noexcept;
    json_value& operator=(const json_value&);
    json_value& operator=(json_value&&) noexcept;
    ~json_value();

    /// json_value::object({{"name", "x"}, {"size", 3}})
    [[nodiscard]] static json_value object(std::initializer_list<json_member> members = {});
    [[nodiscard]] static json_value array(std::initializer_list<json_value> elements = {});

    [[nodiscard]] bool is_null() const noexcept { return std::holds_alternative<std::monostate>(value_); }
    [[nodiscard]] bool is_number() const noexcept;
    [[nodiscard]] bool is_string() const noexcept { return std::holds_alternative<std::string>(value_); }
    [[nodiscard]] bool is_array() const noexcept { return std::holds_alternative<json_array>(value_); }
    [[nodiscard]] bool is_object() const noexcept { return std::holds_alternative<json_object>(value_); }

    [[nodiscard]] bool as_bool() const;
    /// Throws also for a number with a fraction or out of range.
    [[nodiscard]] std::int64_t as_integer() const;
    [[nodiscard]] double as_number() const;
    [[nodiscard]] const std::string& as_string() const;
    [[nodiscard]] const json_array& as_array() const;
    [[nodiscard]] const json_object& as_object() const;

    [[nodiscard]] std::optional<bool> if_bool() const noexcept;
    [[nodiscard]] std::optional<std::int64_t> if_integer() const noexcept;
    [[nodiscard]] std::optional<double> if_number() const noexcept;
    [[nodiscard]] const std::string* if_string() const noexcept { return std::get_if<std::string>(&value_); }
    [[nodiscard]] const json_array* if_array() const noexcept { return std::get_if<json_array>(&value_); }
    [[nodiscard]] const json_object* if_object() const noexcept { return std::get_if<json_object>(&value_); }

    /// The last member of this name; nullptr when there is none or the value is not an object.
    [[nodiscard]] const json_value* find(std::string_view name) const noexcept;
    /// The member, or a null value: `body["user"]["name"]` never fails.
    [[nodiscard]] const json_value& operator[](std::string_view name) const noexcept;
    /// The element, or a null value.
    [[nodiscard]] const json_value& operator[](std::size_t index) const noexcept;
    /// Elements or members; 0 for any other type.
    [[nodiscard]] std::size_t size() const noexcept;

    /// Adds or replaces a member. Null becomes an object first; any other type throws std::invalid_argument.
    void set(std::string name, json_value value);
    /// Adds an element. Null becomes an array first; any other type throws std::invalid_argument.
    void push_back(json_value value);

    friend bool operator==(const json_value&, const json_value&);

private:
    using scalar = std::variant<bool, std::int64_t, std::uint64_t, double>;

    explicit json_value(scalar value) noexcept;

    std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, json_array, json_object>
        value_;

    friend void append_json(std::string& out, const json_value& value);
};

struct json_member {
    std::string name;
    json_value value;
    friend bool operator==(const json_member&, const json_member&) = default;
};

struct json_error {
    std::string message;  ///< for users
};

inline constexpr std::size_t max_json_depth = 256;

/// Parses one UTF-8 JSON text strictly, with nesting up to max_json_depth. Ignores a leading byte order mark. Integers
/// that fit neither std::int64_t nor std::uint64_t become doubles; a number beyond the range of double is an error.
[[nodiscard]] std::expected<json_value, json_error> parse_json(std::string_view text);

/// Appends the value in the shortest form. Numbers without a JSON form (NaN, infinities) become null.
void append_json(std::string& out, const json_value& value);
[[nodiscard]] std::string to_string(const json_value& value);

/// Appends the text as a JSON string, including the quotes. Invalid UTF-8 becomes U+FFFD, so the result is always
/// valid.
void append_json_string(std::string& out, std::string_view text);

/// Appends JSON to a string without building a value. Calls must nest properly; the writer adds commas.
class json_writer {
public:
    explicit json_writer(std::string& out) noexcept : out_(out) {}

    json_writer& begin_object();
    json_writer& end_object();
    json_writer& begin_array();
    json_writer& end_array();
    json_writer& key(std::string_view name);
    json_writer& value(std::nullptr_t);
    json_writer& value(bool);
    json_writer& value(std::int64_t);
    json_writer& value(std::uint64_t);
    json_writer& value(double);
    json_writer& value(std::string_view);
    json_writer& value(const char* text) { return value(std::string_view(text)); }
    json_writer& value(const json_value&);
    template <std::integral Integer>
        requires(!std::same_as<Integer, bool>)
    json_writer& value(Integer number) {
        if constexpr (std::signed_integral<Integer>) {
            return value(static_cast<std::int64_t>(number));
        } else {
            return value(static_cast<std::uint64_t>(number));
        }
    }
    /// key(name).value(v)
    template <class Value>
    json_writer& member(std::string_view name, const Value& v) {
        return key(name).value(v);
    }

private:
    void separate();

    std::string& out_;
    bool first_ = true;
};

}  // namespace rondo::codec
