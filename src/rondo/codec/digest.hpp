// SPDX-License-Identifier: Apache-2.0
// SHA-1, SHA-256, HMAC, hex and random bytes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace rondo::codec {

using sha1_digest = std::array<std::uint8_t, 20>;
using sha256_digest = std::array<std::uint8_t, 32>;

/// The digest functions throw std::runtime_error when the crypto library disables the algorithm (a restricted build).
[[nodiscard]] sha1_digest sha1(std::string_view bytes);
[[nodiscard]] sha256_digest sha256(std::string_view bytes);
[[nodiscard]] sha256_digest hmac_sha256(std::string_view key, std::string_view bytes);

/// In lower case.
[[nodiscard]] std::string hex(std::span<const std::uint8_t> bytes);

/// A digest as bytes, for the base64 functions.
[[nodiscard]] inline std::string_view as_text(std::span<const std::uint8_t> bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Compares in a time that depends only on the sizes.
[[nodiscard]] bool constant_time_equal(std::string_view a, std::string_view b) noexcept;

/// Fills with cryptographically secure random bytes, for keys and tokens. Throws std::runtime_error.
void fill_random(std::span<std::uint8_t> bytes);

}  // namespace rondo::codec
