// SPDX-License-Identifier: Apache-2.0
// The header fields that the reverse proxy forwards and adds.
#pragma once

#include <string>
#include <string_view>

#include <rondo/client/request.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/web/request.hpp>

namespace rondo::detail {

/// Returns whether a field of a message is end-to-end and therefore forwarded (RFC 9110 section 7.6.1).
[[nodiscard]] bool is_end_to_end(const http::fields_view& fields, std::string_view name) noexcept;

/// Adds the fields of the received request and the forwarding fields to the outgoing one. `via` is this proxy's element
/// of Via. Omits fields that only a proxy may set (X-Forwarded-*, X-Real-IP), also if spelled with underscores, which
/// many programs treat as dashes.
void forward_request_fields(request& from, const std::string& via, client_request& to);

/// Returns how often this proxy occurs in Via.
[[nodiscard]] std::size_t count_in_via(const http::fields_view& fields, std::string_view via);

}  // namespace rondo::detail
