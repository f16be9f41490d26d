// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::http {

/// Percent-decodes a path once. None for a bad escape and for NUL in any form. An encoded slash becomes a slash: split
/// the path into segments before decoding when that matters. The bytes are not checked to be UTF-8.
[[nodiscard]] std::optional<std::string> decode_path(std::string_view path);

/// RFC 3986 section 5.2.4: "/a/./b/../c" becomes "/a/c"; never leads above the root.
[[nodiscard]] std::string remove_dot_segments(std::string_view path);

/// Whether a segment of a decoded path is "." or "..", as any receiver may read it: backslashes part segments too, and
/// what follows a ';' in a segment (a parameter, RFC 3986 section 3.3) is none of its name.
[[nodiscard]] bool has_dot_segment(std::string_view decoded_path) noexcept;

/// How else than byte by byte a path may be read by a program that it is handed to.
enum path_reading : unsigned {
    encoded_slash_parts = 1,    ///< "%2F" is a slash
    backslash_parts = 2,        ///< '\\' and "%5C" are slashes
    empty_segments_vanish = 4,  ///< "//" is one slash
    parameters_vanish = 8,      ///< ";x=1" at the end of a segment counts for nothing, "%3B" begins one too
    parameters_go_first = 16,   ///< they vanish before anything is decoded: only ';' begins one, only '/' ends it
};
inline constexpr unsigned every_path_reading = 31;

/// The readings, a set of path_reading, that make a difference for this path (as received). Mostly none.
[[nodiscard]] unsigned readings_of(std::string_view path) noexcept;
/// The path as somebody with these habits reads it, up to and with so many slashes; other escapes stay.
[[nodiscard]] std::string path_read_as(std::string_view path, unsigned readings, std::size_t most_slashes = SIZE_MAX);

struct query_pair {
    std::string name;
    std::string value;
    friend bool operator==(const query_pair&, const query_pair&) = default;
};

/// Decodes one part of a query or of an urlencoded form: '+' is a space, "%41" is 'A', a '%' without two hex digits
/// stands for itself (as browsers and the URL standard have it).
[[nodiscard]] std::string decode_form_text(std::string_view text);

/// The pairs of a query, decoded one by one: `for (const query_pair& pair : query_pairs(query))`. Empty parts are
/// skipped; a part without '=' has an empty value. The text must outlive the range.
class query_pairs {
public:
    class iterator {
    public:
        using value_type = query_pair;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;
        using reference = const query_pair&;
        using pointer = const query_pair*;

        iterator() = default;
        explicit iterator(std::string_view text) : rest_(text), ended_(false) { read(); }
        [[nodiscard]] reference operator*() const noexcept { return now_; }
        [[nodiscard]] pointer operator->() const noexcept { return &now_; }
        iterator& operator++() { return read(), *this; }
        void operator++(int) { read(); }
        friend bool operator==(const iterator& a, const iterator& b) noexcept {
            return a.ended_ == b.ended_ && (a.ended_ || a.rest_.data() == b.rest_.data());
        }

    private:
        void read();

        std::string_view rest_;
        query_pair now_;
        bool ended_ = true;
    };

    explicit query_pairs(std::string_view query) noexcept : text_(query) {}
    [[nodiscard]] iterator begin() const { return iterator(text_); }
    [[nodiscard]] iterator end() const noexcept { return {}; }
    /// The value of the first pair with this name.
    [[nodiscard]] std::optional<std::string> find(std::string_view name) const;

private:
    std::string_view text_;
};

/// Adds "name=value" to a query, encoded, with '&' between pairs.
void append_query_pair(std::string& query, std::string_view name, std::string_view value);

}  // namespace rondo::http
