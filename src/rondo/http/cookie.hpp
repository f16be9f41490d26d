// SPDX-License-Identifier: Apache-2.0
// Parses Cookie fields and writes Set-Cookie fields (RFC 6265).
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include <rondo/http/date.hpp>
#include <rondo/http/fields.hpp>

namespace rondo::http {

/// The pairs of a Cookie field (RFC 6265 section 5.4), parsed leniently: separated by ';', white space trimmed, parts
/// without a name skipped, quotes around the value removed. A range of `field`; the text must outlive it.
class cookie_pairs {
public:
    class iterator {
    public:
        using value_type = field;
        using difference_type = std::ptrdiff_t;
        using iterator_category = std::input_iterator_tag;
        using reference = field;
        using pointer = void;

        iterator() = default;
        explicit iterator(std::string_view text) noexcept : remaining_(text), ended_(false) { read(); }
        [[nodiscard]] field operator*() const noexcept { return current_; }
        iterator& operator++() noexcept { return read(), *this; }
        void operator++(int) noexcept { read(); }
        friend bool operator==(const iterator& a, const iterator& b) noexcept {
            return a.ended_ == b.ended_ && (a.ended_ || a.remaining_.data() == b.remaining_.data());
        }

    private:
        void read() noexcept;

        std::string_view remaining_;
        field current_;
        bool ended_ = true;
    };

    explicit cookie_pairs(std::string_view value) noexcept : text_(value) {}
    [[nodiscard]] iterator begin() const noexcept { return iterator(text_); }
    [[nodiscard]] iterator end() const noexcept { return {}; }

private:
    std::string_view text_;
};

/// Returns the value of the first cookie with this case-sensitive name in all Cookie lines of the request.
[[nodiscard]] std::optional<std::string_view> find_cookie(const fields_view& request, std::string_view name) noexcept;

enum class same_site : std::uint8_t { unset, strict, lax, none };

/// A cookie to set (RFC 6265 section 4.1). The defaults are safe for a session.
struct set_cookie {
    std::string name = {};
    std::string value = {};
    std::string path = "/";
    std::string domain = {};                   ///< empty: this host only
    std::optional<std::int64_t> max_age = {};  ///< seconds; 0 or less deletes the cookie
    std::optional<unix_seconds> expires = {};
    http::same_site same_site = http::same_site::lax;
    bool http_only = true;
    bool secure = false;
};

/// Returns the value of the Set-Cookie field. Throws std::invalid_argument when the name is not a token, the value has
/// a byte outside cookie-octet, path or domain contain ';' or a control byte, `secure` is missing for SameSite=None, a
/// __Secure- or a __Host- name, or a __Host- name has a domain or a path other than "/".
[[nodiscard]] std::string to_string(const set_cookie&);

}  // namespace rondo::http
