// SPDX-License-Identifier: Apache-2.0
// Percent-encoding (RFC 3986).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::codec {

/// The characters that are not encoded (RFC 3986): the unreserved ones; for `path` also '/' and the others that a
/// segment may contain; for `url` all that a URL may contain, including '%', so that nothing is encoded twice.
enum class percent_set : std::uint8_t { component, path, url };

[[nodiscard]] std::string percent_encode(std::string_view text, percent_set keep = percent_set::component);

/// Nothing when a '%' is not followed by two hex digits.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

}  // namespace rondo::codec
