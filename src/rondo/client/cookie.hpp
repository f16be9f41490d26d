// SPDX-License-Identifier: Apache-2.0
// What a Set-Cookie line says, and whether its sender may say it (RFC 6265bis).
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
    std::string domain;  ///< in lower case, without a leading dot; cookie_host() of its server when it is host-only
    std::string path;
    http::unix_seconds expires = 0;
    std::uint64_t used = 0;  ///< the larger, the later it was stored or sent
    bool host_only = true;
    bool secure = false;
};

/// What cookies of a server are kept under: its host; for a unix socket its path, which no host can be equal to.
[[nodiscard]] std::string cookie_host(const http::url& of);

/// Reads the value of one Set-Cookie line. Nothing when it is not valid or `from` may not set such a cookie. `expires`
/// of a cookie that is to be removed is not after `now`.
[[nodiscard]] std::optional<cookie> parse_set_cookie(const http::url& from, std::string_view text,
                                                     http::unix_seconds now);

/// Reads the value of Expires as RFC 6265 section 5.1.1 does: day, month, year and time in any order and with nearly
/// anything between them.
[[nodiscard]] std::optional<http::unix_seconds> parse_cookie_date(std::string_view text) noexcept;

/// RFC 6265 section 5.1.3: `host` is `domain`, or a name below it.
[[nodiscard]] bool domain_matches(std::string_view host, std::string_view domain) noexcept;
/// RFC 6265 section 5.1.4
[[nodiscard]] bool path_matches(std::string_view path, std::string_view of_cookie) noexcept;
/// The path of a URL without its query.
[[nodiscard]] std::string_view path_of(const http::url& u) noexcept;

}  // namespace rondo::detail
