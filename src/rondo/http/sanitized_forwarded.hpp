// SPDX-License-Identifier: Apache-2.0
// Sanitizes the Forwarded and X-Forwarded-For fields that a proxy passes on.
#pragma once

#include <string>
#include <string_view>

#include <rondo/http/fields.hpp>

/// Received lists are checked before they are passed on: the next reader parses them, so they must not contain anything
/// that could swallow or split the elements appended to them.
namespace rondo::http {

/// Returns the addresses of all X-Forwarded-For lines as one list: IPv4, IPv6 with or without brackets, both with or
/// without port, `unknown`, or an obfuscated name (RFC 7239 section 6.3). An invalid element is removed together with
/// all elements to its left. May return an empty list.
[[nodiscard]] std::string sanitized_forwarded_for(const fields_view& fields);

/// The same for the elements of Forwarded (RFC 7239 section 4). Known parameters must have valid values, others a token
/// or a quoted string; a comma, semicolon, quote or backslash within quotes, or a repeated parameter, is invalid.
[[nodiscard]] std::string sanitized_forwarded(const fields_view& fields);

/// Formats a node of X-Forwarded-For: the address itself; `unknown` if it is not an IP address (a unix socket).
[[nodiscard]] std::string forwarded_for_node(std::string_view address);
/// Formats a parameter value of Forwarded: like forwarded_for_node(), with an IPv6 address in brackets and quotes.
[[nodiscard]] std::string forwarded_node(std::string_view address);

}  // namespace rondo::http
