// SPDX-License-Identifier: Apache-2.0
// Media types: parsing Content-Type, and the type of a file by its extension.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rondo::http {

/// A parameter `; name=value` of a field: name in lower case, value unquoted.
struct parameter {
    std::string name;
    std::string value;
    friend bool operator==(const parameter&, const parameter&) = default;
};

/// A media type (RFC 9110 section 8.3.1).
struct media_type {
    std::string essence;  ///< "type/subtype" in lower case
    std::vector<parameter> parameters;

    /// Returns the first parameter with this name, in lower case.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
};

/// Returns the "type/subtype" of a Content-Type in lower case, ignoring its parameters; empty when it is invalid.
[[nodiscard]] std::string essence_of(std::string_view text);

/// Returns std::nullopt when the text is not exactly a media type.
[[nodiscard]] std::optional<media_type> parse_media_type(std::string_view text);

/// Parses the parameters of a field value: *( OWS ";" OWS [ name "=" ( token / quoted-string ) ] ). Returns
/// std::nullopt on a syntax error.
[[nodiscard]] std::optional<std::vector<parameter>> parse_parameters(std::string_view text);

/// Returns the Content-Type for a file name or path by its case-insensitive extension, with charset=utf-8 for text
/// types; "application/octet-stream" when it is unknown.
[[nodiscard]] std::string_view media_type_for(std::string_view file_name) noexcept;

}  // namespace rondo::http
