// SPDX-License-Identifier: Apache-2.0
// Decodes and normalizes the path and query of a URL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::http {

/// Percent-decodes a path once. Returns std::nullopt for an invalid escape and for NUL, encoded or not. An encoded
/// slash becomes a slash: where that matters, split the path into segments first. Does not check for valid UTF-8.
[[nodiscard]] std::optional<std::string> decode_path(std::string_view path);

/// Removes dot segments (RFC 3986 section 5.2.4): "/a/./b/../c" becomes "/a/c"; never leads above the root.
[[nodiscard]] std::string remove_dot_segments(std::string_view path);

/// Returns true when a segment of a decoded path is "." or ".." to any receiver: backslashes also separate segments,
/// and a parameter after ';' in a segment (RFC 3986 section 3.3) is not part of its name.
[[nodiscard]] bool has_dot_segment(std::string_view decoded_path) noexcept;

/// Normalizations that another program may apply to a path passed to it.
enum path_normalization : unsigned {
    decode_slashes = 1,           ///< "%2F" is a slash
    backslash_is_slash = 2,       ///< '\\' and "%5C" are slashes
    merge_slashes = 4,            ///< "//" is one slash
    strip_parameters = 8,         ///< ";x=1" or "%3Bx=1" at the end of a segment is removed
    strip_parameters_first = 16,  ///< as before, but before decoding: only ';' starts one, only '/' ends it
};
inline constexpr unsigned all_path_normalizations = 31;

/// Returns the set of path_normalization that would change this path (as received). Usually empty.
[[nodiscard]] unsigned normalizations_of(std::string_view path) noexcept;
/// Applies the normalizations and returns the path up to and including `max_slashes` slashes. Keeps other escapes.
[[nodiscard]] std::string normalize_path(std::string_view path, unsigned normalizations,
                                         std::size_t max_slashes = SIZE_MAX);

struct query_pair {
    std::string name;
    std::string value;
    friend bool operator==(const query_pair&, const query_pair&) = default;
};

/// Decodes a name or value of a query or an urlencoded form: '+' is a space, "%41" is 'A', a '%' without two hex digits
/// is literal (as in browsers and the URL Standard).
[[nodiscard]] std::string decode_form_text(std::string_view text);

/// The pairs of a query, decoded lazily: `for (const query_pair& pair : query_pairs(query))`. Skips empty parts; a part
/// without '=' has an empty value. The text must outlive the range.
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
        explicit iterator(std::string_view text) : remaining_(text), ended_(false) { read(); }
        [[nodiscard]] reference operator*() const noexcept { return current_; }
        [[nodiscard]] pointer operator->() const noexcept { return &current_; }
        iterator& operator++() { return read(), *this; }
        void operator++(int) { read(); }
        friend bool operator==(const iterator& a, const iterator& b) noexcept {
            return a.ended_ == b.ended_ && (a.ended_ || a.remaining_.data() == b.remaining_.data());
        }

    private:
        void read();

        std::string_view remaining_;
        query_pair current_;
        bool ended_ = true;
    };

    explicit query_pairs(std::string_view query) noexcept : text_(query) {}
    [[nodiscard]] iterator begin() const { return iterator(text_); }
    [[nodiscard]] iterator end() const noexcept { return {}; }
    /// Returns the value of the first pair with this name.
    [[nodiscard]] std::optional<std::string> find(std::string_view name) const;

private:
    std::string_view text_;
};

/// Appends an encoded "name=value" to a query, with '&' between pairs.
void append_query_pair(std::string& query, std::string_view name, std::string_view value);

}  // namespace rondo::http
