// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::http {

/// An entity tag (RFC 9110 section 8.8.3). The view holds as long as the text parsed.
struct entity_tag {
    std::string_view opaque;  ///< between the quotes
    bool weak = false;
};

/// Parses exactly one entity tag, quotes included.
[[nodiscard]] std::optional<entity_tag> parse_etag(std::string_view text) noexcept;

/// Equal and neither weak (RFC 9110 section 8.8.3.2).
[[nodiscard]] bool same_strongly(entity_tag a, entity_tag b) noexcept;
/// Equal, weak or not.
[[nodiscard]] bool same_weakly(entity_tag a, entity_tag b) noexcept;

/// True when the list of a field like If-None-Match names the tag; "*" names every one. A list with a syntax error
/// names the tags before the error.
[[nodiscard]] bool etag_list_contains(std::string_view list, entity_tag tag,
                                      bool (*same)(entity_tag, entity_tag)) noexcept;

/// A strong tag for a file: its size and the time of its last change. Returned with quotes, ready for the field.
[[nodiscard]] std::string file_etag(std::uint64_t size, std::int64_t modified_nanoseconds);

}  // namespace rondo::http
