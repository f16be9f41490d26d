// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/sqlite/bind.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <rondo/codec/digest.hpp>
#include <rondo/codec/json.hpp>
#include <rondo/codec/utf8.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/sqlite/failure.hpp>

namespace rondo::db::sqlite {

namespace {

[[noreturn]] void refuse_large(std::uint64_t value) {
    throw error(fmt::format("the parameter {} is beyond SQLite's integers, which end at {}: pass it as text", value,
                            std::numeric_limits<std::int64_t>::max()));
}

std::string time_text(const parameter& p) {
    std::string text;
    if (!append_time(text, time_point(std::chrono::microseconds(p.integer))))
        throw error("a time parameter is not between the years 1 and 9999");
    return text;
}

// ---- arrays ----

void append_json_number(std::string& out, double value) {
    if (!std::isfinite(value))
        throw error("an array parameter holds NaN or an infinity: SQLite keeps arrays as JSON, which has neither");
    codec::json_writer(out).value(value);
}

void append_json_text(std::string& out, std::string_view text) {
    // json_each() ends a text at its first zero byte.
    if (!codec::valid_utf8(text) || text.find('\0') != std::string_view::npos)
        throw error(
            "an array parameter holds a text that is not UTF-8 or has a zero byte: SQLite keeps arrays as JSON; pass "
            "bytes as std::vector<std::byte>");
    codec::append_json_string(out, text);
}

// As PostgreSQL writes it, and read_cell() reads it.
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
        case parameter_kind::time: append_json_text(out, time_text(p)); break;
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

// SQLite replaces what is not UTF-8, and U+FFFE and U+FFFF, when it converts a text.
bool survives_utf16(std::string_view text) noexcept {
    return codec::valid_utf8(text) && text.find("\xef\xbf\xbe") == std::string_view::npos &&
           text.find("\xef\xbf\xbf") == std::string_view::npos;
}

class binder {
public:
    binder(sqlite3_stmt* made, const parameters& from, bool utf8) noexcept : made_(made), from_(from), utf8_(utf8) {}

    /// Gives SQLite's code.
    int bind(int place, std::size_t at) {
        const parameter& p = from_[at];
        switch (p.kind) {
            case parameter_kind::null: return sqlite3_bind_null(made_, place);
            case parameter_kind::boolean:
            case parameter_kind::integer: return sqlite3_bind_int64(made_, place, p.integer);
            case parameter_kind::large: refuse_large(p.large);
            case parameter_kind::real: return bind_real(place, p.real);
            case parameter_kind::text:
            case parameter_kind::json: return bind_text(place, from_.bytes(p), SQLITE_STATIC);
            case parameter_kind::bytes: return bind_bytes(place, from_.bytes(p));
            case parameter_kind::time: return bind_text(place, time_text(p), SQLITE_TRANSIENT);
            case parameter_kind::array: {
                std::string text;
                append_json_element(text, from_, at);
                return bind_text(place, text, SQLITE_TRANSIENT);
            }
        }
        return SQLITE_OK;
    }

private:
    int bind_real(int place, double value) {
        if (std::isnan(value))
            throw error("a parameter is NaN, which SQLite would keep as null: pass std::nullopt or text");
        return sqlite3_bind_double(made_, place, value);
    }
    int bind_text(int place, std::string_view text, sqlite3_destructor_type life) {
        if (!utf8_ && !survives_utf16(text))
            throw error(
                "a text parameter is not UTF-8 or holds U+FFFE or U+FFFF, which this SQLite file cannot keep because "
                "its encoding is UTF-16: pass it as bytes (std::vector<std::byte>)");
        return sqlite3_bind_text64(made_, place, text.data(), text.size(), life, SQLITE_UTF8);
    }
    int bind_bytes(int place, std::string_view bytes) {
        return sqlite3_bind_blob64(made_, place, bytes.data() ? bytes.data() : "", bytes.size(), SQLITE_STATIC);
    }

    sqlite3_stmt* made_;
    const parameters& from_;
    bool utf8_;
};

// Which value stands for a parameter of the statement: $3 and ?3 say it, ? counts.
std::size_t number_of(const char* name, int place) {
    if (!name) return static_cast<std::size_t>(place);
    const std::string_view text(name);
    std::size_t number = 0;
    const auto [end, wrong] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
    if (wrong != std::errc() || end != text.data() + text.size() || number == 0)
        throw error(fmt::format("the parameter {} of the statement is not numbered: write $1, $2, ...", text));
    return number;
}

std::vector<std::size_t> places_of(const parameters& values) {
    std::vector<std::size_t> begins;
    for (std::size_t at = 0; at < values.entries();) {
        begins.push_back(at);
        for (std::size_t left = 1; left > 0; --left, ++at)
            if (values[at].kind == parameter_kind::array) left += values[at].size;
    }
    return begins;
}

}  // namespace

void bind(sqlite3_stmt* made, const parameters& values, std::string_view sql, bool utf8) {
    const std::vector<std::size_t> begins = places_of(values);
    const int places = sqlite3_bind_parameter_count(made);
    binder to(made, values, utf8);
    std::size_t greatest = 0;
    for (int place = 1; place <= places; ++place) {
        // $2 alone is the first parameter of SQLite, ?2 alone the second of two: it has no name for the first.
        const char* name = sqlite3_bind_parameter_name(made, place);
        const std::size_t number = number_of(name, place);
        greatest = std::max(greatest, number);
        if (number <= begins.size() && to.bind(place, begins[number - 1]) != SQLITE_OK)
            throw_failure(sqlite3_db_handle(made), sql);
    }
    if (greatest != begins.size()) {
        throw error(fmt::format("the statement has {} parameters and was given {} values", greatest, begins.size()), {},
                    std::string(sql));
    }
}

}  // namespace rondo::db::sqlite
