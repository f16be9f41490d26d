// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/sqlite/bind.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <rondo/base/parse_number.hpp>
#include <rondo/base/utf8.hpp>
#include <rondo/codec/digest.hpp>
#include <rondo/codec/json.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/sqlite/errors.hpp>

namespace rondo::db::sqlite {

namespace {

[[noreturn]] void refuse_large(std::uint64_t value) {
    throw error(fmt::format("the parameter {} exceeds the largest integer of SQLite, {}: pass it as text", value,
                            std::numeric_limits<std::int64_t>::max()));
}

std::string timestamp_text(const parameter& p) {
    std::string text;
    if (!append_timestamp(text, time_point(std::chrono::microseconds(p.integer))))
        throw error("a time parameter is not between the years 1 and 9999");
    return text;
}

// ---- arrays ----

void append_json_number(std::string& out, double value) {
    if (!std::isfinite(value))
        throw error(
            "an array parameter contains NaN or an infinity: SQLite arrays are stored as JSON, which has neither");
    codec::json_writer(out).value(value);
}

void append_json_text(std::string& out, std::string_view text) {
    // json_each() truncates a text at its first zero byte.
    if (!is_valid_utf8(text) || text.find('\0') != std::string_view::npos)
        throw error(
            "an array parameter contains a text that is not UTF-8 or has a zero byte: SQLite arrays are stored as "
            "JSON; "
            "pass bytes as std::vector<std::byte>");
    codec::append_json_string(out, text);
}

// The hex format of PostgreSQL, which read_value() accepts.
void append_json_bytes(std::string& out, std::string_view bytes) {
    out += "\"\\\\x";
    out += codec::hex({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
    out += '"';
}

void append_json_element(std::string& out, const parameters& from, std::size_t& at) {
    const parameter& p = from[at++];
    switch (p.kind) {
        case parameter_kind::null: out += "null"; break;
        case parameter_kind::boolean: out += p.integer != 0 ? "true" : "false"; break;
        case parameter_kind::integer: codec::json_writer(out).value(p.integer); break;
        case parameter_kind::large: refuse_large(p.large);
        case parameter_kind::real: append_json_number(out, p.real); break;
        case parameter_kind::text: append_json_text(out, from.bytes(p)); break;
        case parameter_kind::bytes: append_json_bytes(out, from.bytes(p)); break;
        case parameter_kind::json: out += from.bytes(p); break;
        case parameter_kind::time: append_json_text(out, timestamp_text(p)); break;
        case parameter_kind::array:
            out += '[';
            for (std::uint32_t i = 0; i < p.size; ++i) {
                if (i > 0) out += ',';
                append_json_element(out, from, at);
            }
            out += ']';
            break;
    }
}

// ---- one value ----

// When SQLite converts a text, it replaces invalid UTF-8, U+FFFE and U+FFFF.
bool survives_utf16(std::string_view text) noexcept {
    return is_valid_utf8(text) && text.find("\xef\xbf\xbe") == std::string_view::npos &&
           text.find("\xef\xbf\xbf") == std::string_view::npos;
}

class binder {
public:
    binder(sqlite3_stmt* prepared, const parameters& from, bool utf8) noexcept
        : statement_(prepared), parameters_(from), utf8_(utf8) {}

    /// Returns the SQLite result code.
    int bind(int index, std::size_t at) {
        const parameter& p = parameters_[at];
        switch (p.kind) {
            case parameter_kind::null: return sqlite3_bind_null(statement_, index);
            case parameter_kind::boolean:
            case parameter_kind::integer: return sqlite3_bind_int64(statement_, index, p.integer);
            case parameter_kind::large: refuse_large(p.large);
            case parameter_kind::real: return bind_real(index, p.real);
            case parameter_kind::text:
            case parameter_kind::json: return bind_text(index, parameters_.bytes(p), SQLITE_STATIC);
            case parameter_kind::bytes: return bind_bytes(index, parameters_.bytes(p));
            case parameter_kind::time: return bind_text(index, timestamp_text(p), SQLITE_TRANSIENT);
            case parameter_kind::array: {
                std::string text;
                append_json_element(text, parameters_, at);
                return bind_text(index, text, SQLITE_TRANSIENT);
            }
        }
        return SQLITE_OK;
    }

private:
    int bind_real(int index, double value) {
        if (std::isnan(value))
            throw error("a parameter is NaN, which SQLite would store as null: pass std::nullopt or text");
        return sqlite3_bind_double(statement_, index, value);
    }
    int bind_text(int index, std::string_view text, sqlite3_destructor_type lifetime) {
        if (!utf8_ && !survives_utf16(text))
            throw error(
                "a text parameter is not UTF-8 or contains U+FFFE or U+FFFF, which this SQLite file cannot store "
                "because "
                "its encoding is UTF-16: pass it as bytes (std::vector<std::byte>)");
        return sqlite3_bind_text64(statement_, index, text.data(), text.size(), lifetime, SQLITE_UTF8);
    }
    int bind_bytes(int index, std::string_view bytes) {
        return sqlite3_bind_blob64(statement_, index, bytes.data() ? bytes.data() : "", bytes.size(), SQLITE_STATIC);
    }

    sqlite3_stmt* statement_;
    const parameters& parameters_;
    bool utf8_;
};

// The number of the value for a parameter: $3 and ?3 name it, ? is numbered by position.
std::size_t parameter_number(const char* name, int index) {
    if (!name) return static_cast<std::size_t>(index);
    const std::string_view text(name);
    const std::optional<std::size_t> number = parse_number<std::size_t>(text.substr(1));
    if (!number || *number == 0)
        throw error(fmt::format("statement parameter {} is not numbered; use $1, $2, ...", text));
    return *number;
}

std::vector<std::size_t> entry_offsets(const parameters& values) {
    std::vector<std::size_t> offsets;
    for (std::size_t at = 0; at < values.entry_count();) {
        offsets.push_back(at);
        for (std::size_t remaining = 1; remaining > 0; --remaining, ++at)
            if (values[at].kind == parameter_kind::array) remaining += values[at].size;
    }
    return offsets;
}

}  // namespace

void bind(sqlite3_stmt* prepared, const parameters& values, std::string_view sql, bool utf8) {
    const std::vector<std::size_t> offsets = entry_offsets(values);
    const int count = sqlite3_bind_parameter_count(prepared);
    binder to(prepared, values, utf8);
    std::size_t highest = 0;
    for (int index = 1; index <= count; ++index) {
        // If only $2 occurs, SQLite has one parameter; if only ?2 occurs, it has two, and the first has no name.
        const char* name = sqlite3_bind_parameter_name(prepared, index);
        const std::size_t number = parameter_number(name, index);
        highest = std::max(highest, number);
        if (number <= offsets.size() && to.bind(index, offsets[number - 1]) != SQLITE_OK)
            throw_error(sqlite3_db_handle(prepared), sql);
    }
    if (highest != offsets.size()) {
        throw error(fmt::format("the statement has {} parameters but {} values were passed", highest, offsets.size()),
                    {}, std::string(sql));
    }
}

}  // namespace rondo::db::sqlite
