// SPDX-License-Identifier: Apache-2.0
// Base64 and base64url (RFC 4648).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rondo::codec {

/// RFC 4648 section 4, with padding.
[[nodiscard]] std::string base64_encode(std::string_view bytes);
/// Strict: requires padding, allows no other characters, and requires unused bits to be zero.
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

/// RFC 4648 section 5 ("-" and "_"), without padding.
[[nodiscard]] std::string base64url_encode(std::string_view bytes);
/// Strict: allows no padding and no other characters, and requires unused bits to be zero.
[[nodiscard]] std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace rondo::codec
