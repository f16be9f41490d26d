// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::codec {

/// What stays as it is when encoding (RFC 3986): the unreserved characters, and for `path` also '/' and what else may
/// stand in a segment.
enum class percent_set : std::uint8_t { component, path };

[[nodiscard]] std::string percent_encode(std::string_view text, percent_set keep = percent_set::component);

/// None when a '%' is not followed by two hex digits.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

}  // namespace rondo::codec
