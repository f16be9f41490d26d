// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rondo::http {

/// `; name=value` after a media type or a disposition: names in lower case, values unquoted.
struct parameter {
    std::string name;
    std::string value;
    friend bool operator==(const parameter&, const parameter&) = default;
};

/// A media type (RFC 9110 section 8.3.1).
struct media_type {
    std::string essence;  ///< "type/subtype" in lower case
    std::vector<parameter> parameters;

    /// The first parameter of this name (given in lower case).
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
};

/// The "type/subtype" of a Content-Type in lower case, whatever its parameters look like; empty when there is none.
[[nodiscard]] std::string essence_of(std::string_view text);

/// None when the text is not exactly a media type.
[[nodiscard]] std::optional<media_type> parse_media_type(std::string_view text);

/// Parses what follows the first word of a field value: *( OWS ";" OWS [ name "=" ( token / quoted-string ) ] ). None
/// on a syntax error.
[[nodiscard]] std::optional<std::vector<parameter>> parse_parameters(std::string_view text);

/// The Content-Type for a file name or path by its extension, without case; text types with charset=utf-8;
/// "application/octet-stream" when it is not known.
[[nodiscard]] std::string_view media_type_of(std::string_view file_name) noexcept;

}  // namespace rondo::http
