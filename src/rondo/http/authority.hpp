// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rondo::http {

/// host [":" port] of a Host field or a request target. Views into the text parsed.
struct authority {
    std::string_view host;  ///< never empty; an IPv6 address keeps its brackets
    std::optional<std::uint16_t> port;
};

/// Parses uri-host [":" port] (RFC 9110 section 7.2, RFC 3986 section 3.2). Refused: an empty host, user information,
/// ',' (which joins repeated lines), a bad IPv6 address, a zone, a port over 65535. The port may be empty ("a:").
[[nodiscard]] std::optional<authority> parse_authority(std::string_view text) noexcept;

/// Whether parse_authority() gives something; cheaper for the usual ones, a name or an IPv4 address with or without
/// port.
[[nodiscard]] bool valid_authority(std::string_view text) noexcept;

}  // namespace rondo::http
