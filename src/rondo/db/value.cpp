// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/value.hpp>

#include <charconv>
#include <cmath>
#include <limits>

#include <rondo/base/parse_number.hpp>

namespace rondo::db {

namespace {

template <class T>
bool parse(std::string_view text, T& value) noexcept {
    const std::optional<T> parsed = parse_number<T>(text);
    if (parsed) value = *parsed;
    return parsed.has_value();
}

// Returns false for an integer beyond 2^53 that no double represents exactly.
bool to_exact_double(std::int64_t whole, double& value) noexcept {
    constexpr double limit = 9223372036854775808.0;  // 2^63
    value = static_cast<double>(whole);
    return value < limit && static_cast<std::int64_t>(value) == whole;
}

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool read_hex(std::string_view digits, std::vector<std::byte>& value) {
    if (digits.size() % 2 != 0) return false;
    value.clear();
    value.reserve(digits.size() / 2);
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        const int high = hex_digit(digits[i]);
        const int low = hex_digit(digits[i + 1]);
        if (high < 0 || low < 0) return false;
        value.push_back(static_cast<std::byte>(high * 16 + low));
    }
    return true;
}

// PostgreSQL type OIDs (pg_type.dat) whose text needs special handling.
namespace type_oid {
constexpr std::uint32_t bytea = 17;
constexpr std::uint32_t int8 = 20;
constexpr std::uint32_t json = 114;
constexpr std::uint32_t bit = 1560;
constexpr std::uint32_t bit_array = 1561;
constexpr std::uint32_t varbit = 1562;
constexpr std::uint32_t varbit_array = 1563;
constexpr std::uint32_t bytea_array = 1001;
constexpr std::uint32_t box_array = 1020;
constexpr std::uint32_t first_user_defined = 16384;
// Not a PostgreSQL OID: the content of a JSON string.
constexpr std::uint32_t json_string = static_cast<std::uint32_t>(-1);

bool is_bits(std::uint32_t type) noexcept { return type == bit || type == varbit; }
bool is_json(std::uint32_t type) noexcept { return type == json || type == 3802; }
// Types written in braces or brackets that are not arrays: ranges, multiranges and line.
bool is_never_array(std::uint32_t type) noexcept {
    return type == 3904 || type == 3906 || type == 3908 || type == 3910 || type == 3912 || type == 3926 ||
           type == 4451 || (type >= 4532 && type <= 4536) || type == 628;
}
bool is_plain_text(std::uint32_t type) noexcept {
    return type == 0 || type == text_type_oid || type == 1042 || type == 1043;
}
std::uint32_t element_type(std::uint32_t array) noexcept {
    switch (array) {
        case 0: return 0;
        case bytea_array: return bytea;
        case bit_array: return bit;
        case varbit_array: return varbit;
        default: return array < first_user_defined ? text_type_oid : 0;
    }
}
}  // namespace type_oid

sql_value make_text_value(std::string_view text, std::uint32_t type = 0) noexcept {
    sql_value c;
    c.kind = value_kind::text;
    c.type = type;
    c.text = text;
    return c;
}

// bytea_output = escape: "\\" and "\ooo".
bool read_escaped(std::string_view text, std::vector<std::byte>& value) {
    value.clear();
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            value.push_back(static_cast<std::byte>(text[i]));
        } else if (text.substr(i + 1, 1) == "\\") {
            value.push_back(std::byte{'\\'});
            ++i;
        } else {
            const std::string_view digits = text.substr(i + 1, 3);
            const std::optional<std::uint8_t> byte = parse_number<std::uint8_t>(digits, 8);
            if (!byte || digits.size() != 3) return false;
            value.push_back(std::byte{*byte});
            i += 3;
        }
    }
    return true;
}

// Parses PostgreSQL arrays: manual, section 8.15.6.
class array_reader {
public:
    array_reader(std::string_view text, std::uint32_t type, std::vector<sql_value>& elements, std::string& store)
        : remaining_(text), type_(type), elements_(elements), store_(store) {
        store_.reserve(text.size());  // no reallocation later: the elements refer to the store
    }

    bool read() {
        remaining_.remove_prefix(1);
        if (remaining_ == "}") return true;
        for (;;) {
            if (remaining_.empty() || remaining_.front() == '{') return false;
            if (!(remaining_.front() == '"' ? read_quoted() : read_plain())) return false;
            const char after = remaining_.front();
            remaining_.remove_prefix(1);
            if (after == '}') return remaining_.empty();
            if (after != delimiter()) return false;
        }
    }

private:
    [[nodiscard]] char delimiter() const noexcept { return type_ == type_oid::box_array ? ';' : ','; }
    // A user-defined type may have an unknown delimiter: text that might hold several elements is rejected. So is a
    // part of a range.
    [[nodiscard]] bool is_ambiguous(std::string_view text) const noexcept {
        if (type_ < type_oid::first_user_defined) return false;
        const bool half =
            (text.starts_with('[') || text.starts_with('(')) && !text.ends_with(']') && !text.ends_with(')');
        return half || text.find_first_of(";:|/\\#~!*&^%=<>?") != std::string_view::npos;
    }
    bool read_plain() {
        const char ends[] = {delimiter(), '}', '\0'};
        const std::size_t end = remaining_.find_first_of(ends);
        if (end == std::string_view::npos || end == 0) return false;
        const std::string_view text = remaining_.substr(0, end);
        if (is_ambiguous(text)) return false;
        remaining_.remove_prefix(end);
        elements_.push_back(text == "NULL" ? sql_value() : make_text_value(text, type_oid::element_type(type_)));
        return true;
    }
    bool read_quoted() {
        const std::size_t begin = store_.size();
        for (std::size_t i = 1; i < remaining_.size(); ++i) {
            if (remaining_[i] == '"') {
                remaining_.remove_prefix(i + 1);
                elements_.push_back(
                    make_text_value(std::string_view(store_).substr(begin), type_oid::element_type(type_)));
                return !remaining_.empty();
            }
            if (remaining_[i] == '\\' && ++i == remaining_.size()) return false;
            store_ += remaining_[i];
        }
        return false;
    }

    std::string_view remaining_;
    std::uint32_t type_;
    std::vector<sql_value>& elements_;
    std::string& store_;
};

bool read_json_array(std::string_view text, std::vector<sql_value>& elements, std::string& store) {
    const auto parsed = codec::parse_json(text);
    if (!parsed || !parsed->is_array()) return false;
    std::vector<std::size_t> ends;  // ends of the elements in the store, which reallocates as it grows
    for (const codec::json_value& value : parsed->as_array()) {
        if (value.is_string()) store += value.as_string();
        else if (!value.is_null()) store += codec::to_string(value);
        ends.push_back(store.size());
    }
    std::size_t begin = 0;
    auto end = ends.begin();
    for (const codec::json_value& value : parsed->as_array()) {
        sql_value c;
        if (value.is_null()) c.type = type_oid::json;
        else
            c = make_text_value(std::string_view(store).substr(begin, *end - begin),
                                value.is_string() ? type_oid::json_string : 0);
        if (value.is_array() || value.is_object()) c.kind = value_kind::json;
        elements.push_back(c);
        begin = *end++;
    }
    return true;
}

}  // namespace

bool read_value(const sql_value& source, std::int64_t& value) noexcept {
    if (source.kind == value_kind::integer) return value = source.integer, true;
    if (source.kind == value_kind::text) return !type_oid::is_bits(source.type) && parse(source.text, value);
    constexpr double limit = 9223372036854775808.0;  // 2^63
    if (source.kind != value_kind::real || source.real < -limit || source.real >= limit ||
        std::trunc(source.real) != source.real)
        return false;
    value = static_cast<std::int64_t>(source.real);
    return true;
}

bool read_value(const sql_value& source, std::uint64_t& value) noexcept {
    if (source.kind == value_kind::text) return !type_oid::is_bits(source.type) && parse(source.text, value);
    std::int64_t whole = 0;
    if (!read_value(source, whole) || whole < 0) return false;
    value = static_cast<std::uint64_t>(whole);
    return true;
}

bool read_value(const sql_value& source, double& value) noexcept {
    if (source.kind == value_kind::real) return value = source.real, true;
    if (source.kind == value_kind::integer) return to_exact_double(source.integer, value);
    if (source.kind != value_kind::text || type_oid::is_bits(source.type)) return false;
    std::int64_t whole = 0;
    if (source.type == type_oid::int8) return parse(source.text, whole) && to_exact_double(whole, value);
    return parse(source.text, value);
}

bool read_value(const sql_value& source, bool& value) noexcept {
    if (source.kind == value_kind::integer) return value = source.integer != 0, true;
    if (source.kind != value_kind::text) return false;
    value = source.text == "t" || source.text == "true" || source.text == "1";
    return value || source.text == "f" || source.text == "false" || source.text == "0";
}

bool read_value(const sql_value& source, std::string& value) {
    switch (source.kind) {
        case value_kind::text:
        case value_kind::bytes: value = source.text; return true;
        case value_kind::integer: value = std::to_string(source.integer); return true;
        case value_kind::real: {
            char digits[32];
            value.assign(digits, std::to_chars(digits, digits + sizeof digits, source.real).ptr);
            return true;
        }
        case value_kind::null:
        case value_kind::json: break;
    }
    return false;
}

bool read_value(const sql_value& source, std::string_view& value) noexcept {
    value = source.text;
    return source.kind == value_kind::text || source.kind == value_kind::bytes;
}

bool read_value(const sql_value& source, std::vector<std::byte>& value) {
    const bool encoded = source.kind == value_kind::text &&
                         (source.type == 0 || source.type == type_oid::bytea || source.type == type_oid::json_string);
    if (encoded && source.text.starts_with("\\x")) return read_hex(source.text.substr(2), value);
    if (encoded && source.type == type_oid::bytea) return read_escaped(source.text, value);
    if (source.kind != value_kind::text && source.kind != value_kind::bytes) return false;
    const auto* begin = reinterpret_cast<const std::byte*>(source.text.data());
    value.assign(begin, begin + source.text.size());
    return true;
}

bool read_value(const sql_value& source, time_point& value) noexcept {
    if (source.kind != value_kind::text) return false;
    const auto read = parse_timestamp(source.text);
    if (read) value = *read;
    return read.has_value();
}

bool read_value(const sql_value& source, codec::json_value& value) {
    switch (source.kind) {
        case value_kind::integer: value = source.integer; return true;
        case value_kind::real: value = source.real; return true;
        case value_kind::null: value = nullptr; return type_oid::is_json(source.type);
        case value_kind::bytes: return false;
        case value_kind::text:
            if (source.type == type_oid::json_string) return value = source.text, true;
            // "{}" may be an empty array, and "[1,2]" a range.
            if (type_oid::is_bits(source.type) || type_oid::is_never_array(source.type)) return false;
            if (source.text == "{}" && !type_oid::is_json(source.type) && !type_oid::is_plain_text(source.type))
                return false;
            break;
        case value_kind::json: break;
    }
    auto parsed = codec::parse_json(source.text);
    if (!parsed) return false;
    value = *std::move(parsed);
    return true;
}

bool read_array(const sql_value& source, std::vector<sql_value>& elements, std::string& store) {
    if (source.kind != value_kind::text || source.text.empty() || type_oid::is_never_array(source.type)) return false;
    std::string_view text = source.text;
    if (text.front() == '[') {
        const std::size_t bounds = text.find("]={");
        const bool has_bounds = bounds != std::string_view::npos &&
                                text.substr(1, bounds - 1).find_first_not_of("0123456789-:") == std::string_view::npos;
        if (!has_bounds) return source.type < type_oid::first_user_defined && read_json_array(text, elements, store);
        text.remove_prefix(bounds + 2);
    }
    return text.front() == '{' && !type_oid::is_json(source.type) &&
           array_reader(text, source.type, elements, store).read();
}

}  // namespace rondo::db
