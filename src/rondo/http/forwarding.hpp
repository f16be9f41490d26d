// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <rondo/http/fields.hpp>

/// What a proxy tells the next one of where a request came from. What it got itself is looked at before it is passed
/// on: a reader takes these lists apart, so nothing may stand in them that could swallow or split what comes after it.
namespace rondo::http {

/// The addresses of all X-Forwarded-For lines as one list: IPv4, IPv6 with or without brackets, both with or without
/// port, `unknown`, or an obfuscated name (RFC 7239 section 6.3). What is none of these ends the list, which is read
/// from the right: it and all to its left is left out. Empty when nothing is left.
[[nodiscard]] std::string checked_forwarded_for(const fields_view& fields);

/// The same for the elements of Forwarded (RFC 7239 section 4): known parameters must hold what they should, others a
/// token or a quoted string; none may hold a comma, a semicolon, a quote or a backslash within quotes, or be given
/// twice.
[[nodiscard]] std::string checked_forwarded(const fields_view& fields);

/// An address as a node of X-Forwarded-For: the address itself, `unknown` for what is no IP address (a unix socket).
[[nodiscard]] std::string forwarded_for_node(std::string_view address);
/// The same as the value of a parameter of Forwarded: an IPv6 address stands between brackets and quotes.
[[nodiscard]] std::string forwarded_node(std::string_view address);

}  // namespace rondo::http
