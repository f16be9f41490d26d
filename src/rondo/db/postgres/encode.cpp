// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/encode.hpp>

#include <charconv>
#include <cmath>

#include <rondo/codec/digest.hpp>
#include <rondo/db/error.hpp>

namespace rondo::db::postgres {

namespace {

constexpr std::size_t null_offset = static_cast<std::size_t>(-1);

template <class Number>
void append_number(std::string& out, Number number) {
    char digits[32];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

void append_real(std::string& out, double value) {
    if (std::isnan(value)) out += "NaN";
    else if (std::isinf(value)) out += value > 0 ? "Infinity" : "-Infinity";
    else append_number(out, value);
}

void append_hex(std::string& out, std::string_view bytes) {
    out += "\\x";
    out += codec::hex({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

}  // namespace

void encoder::append_text(std::string_view text) {
    if (text.find('\0') != std::string_view::npos)
        throw error(
            "a text parameter contains a zero byte, which PostgreSQL cannot store in text: pass it as bytes "
            "(std::vector<std::byte>) to a bytea");
    text_ += text;
}

void encoder::append(const parameters& from, const parameter& p) {
    switch (p.kind) {
        case parameter_kind::boolean: text_ += p.integer ? 't' : 'f'; break;
        case parameter_kind::integer: append_number(text_, p.integer); break;
        case parameter_kind::large: append_number(text_, p.large); break;
        case parameter_kind::real: append_real(text_, p.real); break;
        case parameter_kind::time:
            if (!append_timestamp(text_, time_point(std::chrono::microseconds(p.integer))))
                throw error("a time parameter is not between the years 1 and 9999");
            text_ += "+00";
            break;
        case parameter_kind::text:
        case parameter_kind::json: append_text(from.bytes(p)); break;
        case parameter_kind::bytes: append_hex(text_, from.bytes(p)); break;
        case parameter_kind::null:
        case parameter_kind::array: break;
    }
}

// PostgreSQL manual, section 8.15.6. Every element is quoted, which is always valid.
void encoder::append_element(const parameters& from, const parameter& p) {
    if (p.kind == parameter_kind::null) {
        text_ += "NULL";
        return;
    }
    element_.clear();
    text_.swap(element_);
    append(from, p);
    text_.swap(element_);
    text_ += '"';
    for (char c : element_) {
        if (c == '"' || c == '\\') text_ += '\\';
        text_ += c;
    }
    text_ += '"';
}

void encoder::append_array(const parameters& from, std::size_t& at) {
    const std::uint32_t size = from[at++].size;
    text_ += '{';
    for (std::uint32_t i = 0; i < size; ++i) {
        if (i > 0) text_ += ',';
        if (from[at].kind == parameter_kind::array) append_array(from, at);
        else append_element(from, from[at++]);
    }
    text_ += '}';
}

void encoder::add_value(const parameters& from, std::size_t& at) {
    const parameter& p = from[at];
    offsets_.push_back(p.kind == parameter_kind::null ? null_offset : text_.size());
    lengths_.push_back(0);
    formats_.push_back(p.kind == parameter_kind::bytes);
    if (p.kind == parameter_kind::array) return append_array(from, at);
    ++at;
    if (p.kind == parameter_kind::bytes) {
        text_ += from.bytes(p);
        lengths_.back() = static_cast<int>(p.size);
    } else {
        append(from, p);
    }
}

void encoder::encode(const parameters& from) {
    text_.clear();
    offsets_.clear();
    lengths_.clear();
    formats_.clear();
    values_.clear();
    for (std::size_t at = 0; at < from.entry_count();) {
        add_value(from, at);
        text_ += '\0';
    }
    for (std::size_t begin : offsets_) values_.push_back(begin == null_offset ? nullptr : text_.data() + begin);
}

}  // namespace rondo::db::postgres
