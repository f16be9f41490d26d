// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <rondo/client/request.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/web/request.hpp>

/// Which fields a proxy passes on, and what it adds.
namespace rondo::detail {

/// Whether a field of this message goes on: it does not concern one connection only (RFC 9110 section 7.6.1).
[[nodiscard]] bool passes_on(const http::fields_view& all, std::string_view name) noexcept;

/// Adds to the outgoing request what it gets of the one that came, and what is told of the way. `via` is this proxy's
/// element of Via. Left out besides is what only a proxy may say (X-Forwarded-*, X-Real-IP), also spelled with
/// underscores, which many programs take for dashes.
void pass_request_fields(request& from, const std::string& via, client_request& to);

/// How often this proxy stands in Via already.
[[nodiscard]] std::size_t times_passed(const http::fields_view& fields, std::string_view via);

}  // namespace rondo::detail
