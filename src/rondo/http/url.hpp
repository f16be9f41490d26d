// SPDX-License-Identifier: Apache-2.0
// Parses and resolves absolute http and https URLs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::http {

/// The components of an absolute http or https URL (RFC 3986, RFC 9110 section 4.2), without the fragment.
struct url {
    std::string scheme;      ///< "http" or "https"
    std::string user;        ///< from the user information, percent-decoded; empty: none
    std::string password;    ///< likewise
    std::string host;        ///< in lower case; an IPv6 address without brackets; empty for a unix socket
    std::string unix_path;   ///< from "http+unix://%2Frun%2Fapp.sock/path"
    std::uint16_t port = 0;  ///< explicit, or 80 or 443 by scheme
    std::string target;      ///< path and query as sent; begins with '/'

    /// Percent-encodes bytes in path and query that are not allowed in a URL (spaces, quotes, bytes over 0x7e). Returns
    /// std::nullopt for control bytes, another scheme and an empty or invalid host.
    [[nodiscard]] static std::optional<url> parse(std::string_view text);
    /// Resolves a reference ("/b", "?q=1", "c", "//host/d", an absolute URL) from a response (RFC 3986 section 5.2).
    /// Returns std::nullopt where parse() does, and for what a remote server must not choose: a local unix socket
    /// (http+unix) and credentials (RFC 9110 section 4.2.4). A relative reference keeps those of this URL.
    [[nodiscard]] std::optional<url> resolve(std::string_view reference) const;

    [[nodiscard]] bool is_secure() const noexcept { return scheme == "https"; }
    /// The value of Host; without the port when it is the default of the scheme.
    [[nodiscard]] std::string authority() const;
    /// Scheme, host and port: "https://example.org:443". Credentials must not be sent to another origin.
    [[nodiscard]] std::string origin() const;
    /// The URL without user information.
    [[nodiscard]] std::string text() const;
};

}  // namespace rondo::http
