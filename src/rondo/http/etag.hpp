// SPDX-License-Identifier: Apache-2.0
// Parses, compares and makes entity tags (RFC 9110 section 8.8.3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::http {

/// An entity tag. The view is valid as long as the parsed text.
struct entity_tag {
    std::string_view opaque;  ///< the opaque-tag without its quotes
    bool weak = false;
};

/// Parses exactly one entity tag, quotes included.
[[nodiscard]] std::optional<entity_tag> parse_etag(std::string_view text) noexcept;

/// Strong comparison: equal and neither is weak (RFC 9110 section 8.8.3.2).
[[nodiscard]] bool is_strong_match(entity_tag a, entity_tag b) noexcept;
/// Weak comparison: equal, weak or not.
[[nodiscard]] bool is_weak_match(entity_tag a, entity_tag b) noexcept;

/// Returns true when the list of a field like If-None-Match contains the tag; "*" matches every tag. Elements after a
/// syntax error are ignored.
[[nodiscard]] bool etag_list_contains(std::string_view list, entity_tag tag,
                                      bool (*matches)(entity_tag, entity_tag)) noexcept;

/// Makes a strong tag, with quotes, from the size and modification time of a file.
[[nodiscard]] std::string file_etag(std::uint64_t size, std::int64_t modified_nanoseconds);

}  // namespace rondo::http
