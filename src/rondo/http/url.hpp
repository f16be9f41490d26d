// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::http {

/// An absolute http or https URL (RFC 3986, RFC 9110 section 4.2), taken apart. The fragment is dropped.
struct url {
    std::string scheme;      ///< "http" or "https"
    std::string user;        ///< user information, percent-decoded; empty: none
    std::string password;    ///< the same
    std::string host;        ///< in lower case; an IPv6 address without brackets; empty for a unix socket
    std::string unix_path;   ///< of "http+unix://%2Frun%2Fapp.sock/path"
    std::uint16_t port = 0;  ///< stated, or 80 and 443
    std::string target;      ///< path and query as they are sent; begins with '/'

    /// Bytes that no URL may hold (spaces, quotes, bytes over 0x7e) are percent-encoded in path and query; control
    /// bytes, another scheme, an empty or invalid host are refused: nothing.
    [[nodiscard]] static std::optional<url> parse(std::string_view text);
    /// What a reference ("/b", "?q=1", "c", "//host/d", an absolute URL) found in a response means (RFC 3986
    /// section 5.2). Nothing as for parse(), and for what only a program may name, never a server elsewhere: a unix
    /// socket of this machine (http+unix), and credentials (RFC 9110 section 4.2.4). A relative one has those of this.
    [[nodiscard]] std::optional<url> resolve(std::string_view reference) const;

    [[nodiscard]] bool secure() const noexcept { return scheme == "https"; }
    /// The value of Host: the port only when it is not the scheme's.
    [[nodiscard]] std::string authority() const;
    /// Scheme, host and port: "https://example.org:443". Credentials must not go from one origin to another.
    [[nodiscard]] std::string origin() const;
    /// The whole without user information.
    [[nodiscard]] std::string text() const;
};

}  // namespace rondo::http
