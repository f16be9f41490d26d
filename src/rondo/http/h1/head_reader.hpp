// SPDX-License-Identifier: Apache-2.0
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
#include <rondo/http/h1/parser.hpp>

namespace rondo::http::h1 {

/// Content-Length (RFC 9112 section 6.3): digits only, at most what a signed number of 64 bits holds.
[[nodiscard]] inline std::expected<std::uint64_t, parse_error> parse_content_length(std::string_view value) noexcept {
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    if (value.empty()) return std::unexpected(parse_error::bad_content_length);
    std::uint64_t number = 0;
    for (const char c : value) {
        if (!characters::is(c, characters::digit)) return std::unexpected(parse_error::bad_content_length);
        const auto digit = static_cast<std::uint64_t>(c - '0');
        if (number > (most - digit) / 10) return std::unexpected(parse_error::bad_content_length);
        number = number * 10 + digit;
    }
    return number;
}

/// What the heads of requests and of responses have in common: limits, and the field lines after the first one. Reads
/// left to right and decides on the bytes before `p_` only, so an error never depends on where the input was cut.
/// `Parser` derives from it: with a class that its file alone knows, this is as local as that, and inlined as readily.
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

    [[nodiscard]] static std::unexpected<parse_error> refuse(parse_error error) noexcept {
        return std::unexpected(error);
    }

    [[nodiscard]] slice from(const char* begin, const char* end) const noexcept {
        return {static_cast<std::uint32_t>(begin - base_), static_cast<std::uint32_t>(end - begin)};
    }

    // The input ends here: because there is no more yet, or because of a limit.
    [[nodiscard]] std::unexpected<parse_error> short_of(parse_error too_long) const noexcept {
        return refuse(stop_ < end_ ? too_long : parse_error::incomplete);
    }

    void limit_to(std::size_t bytes) noexcept {
        stop_ = static_cast<std::size_t>(end_ - p_) > bytes ? p_ + bytes : end_;
    }

    // Up to and including the empty line. `known` gathers the fields that matter: note(name, value, where that stands).
    template <class Known>
    [[nodiscard]] step field_lines(Known& known, std::span<field_ref>& lines) noexcept {
        limit_to(limits_.fields_bytes);
        Scanner scan(base_, end_);
        std::size_t count = 0;
        for (const char* line = p_;; ++count) {
            const char* const end = scan.control(line, stop_);
            if (!is_line_end(end, stop_)) return bad_line_end(end);
            p_ = end + 2;
            if (line == end) break;
            if (count == storage_.size()) return refuse(parse_error::fields_too_large);
            const char* const colon = scan.end_of_name(line);
            if (*colon != ':' || colon == line) return refuse(parse_error::bad_field_name);
            if (const step s = field_line(known, line, colon, end, storage_[count]); !s) return s;
            line = end + 2;
        }
        lines = storage_.first(count);
        return {};
    }

    const char* const base_;
    const char* p_;
    const char* const end_;
    const char* stop_ = nullptr;  // of what is read now: the end, or where its limit is
    const parse_limits& limits_;
    const std::span<field_ref> storage_;

private:
    static constexpr std::size_t max_bytes = std::size_t{1} << 31;

    [[nodiscard]] static bool is_line_end(const char* p, const char* stop) noexcept {
        return stop - p >= 2 && std::memcmp(p, "\r\n", 2) == 0;
    }
    [[nodiscard]] static bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }
    // True for every space, tab and control byte: a cheap first question.
    [[nodiscard]] static bool maybe_space(char c) noexcept { return static_cast<unsigned char>(c) <= ' '; }
    // Stops at CR at the latest.
    [[nodiscard]] static const char* skip_spaces(const char* p) noexcept {
        while (is_space(*p)) ++p;
        return p;
    }
    [[nodiscard]] static const char* skip_spaces_back(const char* begin, const char* end) noexcept {
        while (end > begin && is_space(end[-1])) --end;
        return end;
    }

    // At `end` stands CR, so that byte may be read.
    template <class Known>
    [[nodiscard]] step field_line(Known& known, const char* line, const char* colon, const char* end,
                                  field_ref& ref) noexcept {
        const char* value = colon + 1;
        if (*value == ' ') ++value;
        if (maybe_space(*value)) value = skip_spaces(value);
        if (maybe_space(end[-1])) end = skip_spaces_back(value, end);
        ref = {from(line, colon), from(value, end)};
        return known.note({line, colon}, {value, end}, ref.value);
    }

    // What is wrong where a line should end: a limit, more to come, or a byte.
    [[nodiscard]] std::unexpected<parse_error> bad_line_end(const char* p) const noexcept {
        if (p == stop_ || (*p == '\r' && stop_ - p < 2)) return short_of(parse_error::fields_too_large);
        return refuse(*p == '\r' || *p == '\n' ? parse_error::bad_line_end : parse_error::bad_field_value);
    }
};

}  // namespace rondo::http::h1
