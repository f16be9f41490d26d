// SPDX-License-Identifier: Apache-2.0
// The common base of the request and response head parsers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <expected>
#include <limits>
#include <span>
#include <string_view>

#include <rondo/http/characters.hpp>
#include <rondo/http/h1/request_parser.hpp>

namespace rondo::http::h1 {

/// Parses Content-Length (RFC 9112 section 6.3): digits only, at most the maximum of a signed 64-bit number.
[[nodiscard]] inline std::expected<std::uint64_t, parse_error> parse_content_length(std::string_view value) noexcept {
    constexpr std::uint64_t max = std::numeric_limits<std::int64_t>::max();
    if (value.empty()) return std::unexpected(parse_error::bad_content_length);
    std::uint64_t number = 0;
    for (const char c : value) {
        if (!characters::is(c, characters::digit)) return std::unexpected(parse_error::bad_content_length);
        const auto digit = static_cast<std::uint64_t>(c - '0');
        if (number > (max - digit) / 10) return std::unexpected(parse_error::bad_content_length);
        number = number * 10 + digit;
    }
    return number;
}

/// The common part of the parsers of request and response heads: limits, and the field lines after the first line.
/// Parses left to right and decides only on the bytes before `p_`, so an error never depends on where the input was
/// split. `Parser` is the derived class; one local to its file gives this base internal linkage too, so it is inlined.
template <class Scanner, class Parser>
class head_reader {
protected:
    using step = std::expected<void, parse_error>;

    head_reader(std::string_view bytes, const parse_limits& limits, std::span<field_ref> storage) noexcept
        : base_(bytes.data()),
          p_(base_),
          end_(base_ + std::min(bytes.size(), max_bytes)),
          limits_(limits),
          storage_(storage.first(std::min<std::size_t>(storage.size(), limits.fields))) {}

    [[nodiscard]] static std::unexpected<parse_error> fail(parse_error error) noexcept {
        return std::unexpected(error);
    }

    [[nodiscard]] slice make_slice(const char* begin, const char* end) const noexcept {
        return {static_cast<std::uint32_t>(begin - base_), static_cast<std::uint32_t>(end - begin)};
    }

    // The error at the end of the input: `too_long` at the limit, else `incomplete`.
    [[nodiscard]] std::unexpected<parse_error> incomplete_or(parse_error too_long) const noexcept {
        return fail(stop_ < end_ ? too_long : parse_error::incomplete);
    }

    void set_limit(std::size_t bytes) noexcept {
        stop_ = static_cast<std::size_t>(end_ - p_) > bytes ? p_ + bytes : end_;
    }

    // Parses up to and including the blank line. Passes each field to `framing`: add(name, value, slice of the value).
    template <class Framing>
    [[nodiscard]] step field_lines(Framing& framing, std::span<field_ref>& lines) noexcept {
        set_limit(limits_.fields_bytes);
        Scanner scan(base_, end_);
        std::size_t count = 0;
        for (const char* line = p_;; ++count) {
            const char* const end = scan.find_control(line, stop_);
            if (!is_line_end(end, stop_)) return bad_line_end(end);
            p_ = end + 2;
            if (line == end) break;
            if (count == storage_.size()) return fail(parse_error::fields_too_large);
            const char* const colon = scan.end_of_name(line);
            if (*colon != ':' || colon == line) return fail(parse_error::bad_field_name);
            if (const step s = field_line(framing, line, colon, end, storage_[count]); !s) return s;
            line = end + 2;
        }
        lines = storage_.first(count);
        return {};
    }

    const char* const base_;
    const char* p_;
    const char* const end_;
    const char* stop_ = nullptr;  // of the current line or section: the end, or its limit
    const parse_limits& limits_;
    const std::span<field_ref> storage_;

private:
    static constexpr std::size_t max_bytes = std::size_t{1} << 31;

    [[nodiscard]] static bool is_line_end(const char* p, const char* stop) noexcept {
        return stop - p >= 2 && std::memcmp(p, "\r\n", 2) == 0;
    }
    [[nodiscard]] static bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }
    // True for every space, tab and control byte: a fast pre-check.
    [[nodiscard]] static bool maybe_space(char c) noexcept { return static_cast<unsigned char>(c) <= ' '; }
    // Stops at CR, which must follow.
    [[nodiscard]] static const char* skip_spaces(const char* p) noexcept {
        while (is_space(*p)) ++p;
        return p;
    }
    [[nodiscard]] static const char* skip_spaces_back(const char* begin, const char* end) noexcept {
        while (end > begin && is_space(end[-1])) --end;
        return end;
    }

    // `end` points to CR, so that byte is readable.
    template <class Framing>
    [[nodiscard]] step field_line(Framing& framing, const char* line, const char* colon, const char* end,
                                  field_ref& ref) noexcept {
        const char* value = colon + 1;
        if (*value == ' ') ++value;
        if (maybe_space(*value)) value = skip_spaces(value);
        if (maybe_space(end[-1])) end = skip_spaces_back(value, end);
        ref = {make_slice(line, colon), make_slice(value, end)};
        return framing.add({line, colon}, {value, end}, ref.value);
    }

    // The error where a line should end: the limit, incomplete input or an invalid byte.
    [[nodiscard]] std::unexpected<parse_error> bad_line_end(const char* p) const noexcept {
        if (p == stop_ || (*p == '\r' && stop_ - p < 2)) return incomplete_or(parse_error::fields_too_large);
        return fail(*p == '\r' || *p == '\n' ? parse_error::bad_line_end : parse_error::bad_field_value);
    }
};

}  // namespace rondo::http::h1
