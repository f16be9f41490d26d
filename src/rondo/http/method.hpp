// SPDX-License-Identifier: Apache-2.0
// The request methods.
#pragma once

#include <cstdint>
#include <string_view>

namespace rondo::http {

/// Request methods (RFC 9110 section 9, RFC 5789). `other` is any other valid token; its text is in the head.
enum class method : std::uint8_t { get, head, post, put, delete_, connect, options, trace, patch, other };

/// Returns the token as sent on the wire; "" for `other`.
[[nodiscard]] std::string_view to_string(method) noexcept;

/// Methods are case-sensitive: "get" is `other`.
[[nodiscard]] method parse_method(std::string_view token) noexcept;

/// GET, HEAD, OPTIONS, TRACE (RFC 9110 section 9.2.1).
[[nodiscard]] constexpr bool is_safe(method m) noexcept {
    return m == method::get || m == method::head || m == method::options || m == method::trace;
}

}  // namespace rondo::http
