// SPDX-License-Identifier: Apache-2.0
// Parses and validates Set-Cookie (RFC 6265bis) and matches cookies to requests.
// Implemented in cookie.cpp and cookie_date.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <rondo/http/date.hpp>
#include <rondo/http/url.hpp>

namespace rondo::detail {

/// A cookie of a cookie_jar.
struct cookie {
    std::string name;
    std::string value;
    std::string domain;  ///< lower case, without a leading dot; cookie_host() of its server when host-only
    std::string path;
    http::unix_seconds expires = 0;
    std::uint64_t last_used = 0;  ///< larger: stored or sent later
    bool host_only = true;
    bool secure = false;
};

/// The key that a server's cookies are stored under: its host, or for a unix socket "unix:" and the path, which never
/// equals a host.
[[nodiscard]] std::string cookie_host(const http::url& server);

/// Parses the value of one Set-Cookie line. Returns nothing when it is invalid or `from` may not set such a cookie. A
/// cookie to be removed has `expires` <= `now`.
[[nodiscard]] std::optional<cookie> parse_set_cookie(const http::url& from, std::string_view text,
                                                     http::unix_seconds now);

/// Parses the value of Expires as in RFC 6265 section 5.1.1: day, month, year and time in any order, with almost any
/// delimiters.
[[nodiscard]] std::optional<http::unix_seconds> parse_cookie_date(std::string_view text) noexcept;

/// RFC 6265 section 5.1.3: `host` is `domain` or a subdomain of it.
[[nodiscard]] bool domain_matches(std::string_view host, std::string_view domain) noexcept;
/// RFC 6265 section 5.1.4
[[nodiscard]] bool path_matches(std::string_view path, std::string_view cookie_path) noexcept;
/// The path of a URL without its query.
[[nodiscard]] std::string_view path_of(const http::url& u) noexcept;

}  // namespace rondo::detail
