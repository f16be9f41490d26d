// SPDX-License-Identifier: Apache-2.0
// Parses the authority of a URI or a Host field: host and port.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rondo::http {

/// host [":" port] of a Host field or a request target. Holds views into the parsed text.
struct authority {
    std::string_view host;  ///< never empty; an IPv6 address keeps its brackets
    std::optional<std::uint16_t> port;
};

/// Parses uri-host [":" port] (RFC 9110 section 7.2, RFC 3986 section 3.2). Rejects an empty host, user information,
/// ',' (which joins repeated lines), an invalid IPv6 address, a zone, a port over 65535. The port may be empty ("a:").
[[nodiscard]] std::optional<authority> parse_authority(std::string_view text) noexcept;

/// Returns whether parse_authority() succeeds; faster for names and IPv4 addresses, with or without port.
[[nodiscard]] bool is_valid_authority(std::string_view text) noexcept;

}  // namespace rondo::http
