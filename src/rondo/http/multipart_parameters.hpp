// SPDX-License-Identifier: Apache-2.0
// Parses the parameters of Content-Type and Content-Disposition as form clients send them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rondo::http {

/// A parameter of the Content-Type of a form body or of the Content-Disposition of a part.
struct form_parameter {
    std::string name;  ///< in lower case
    std::string value;
    bool quoted = false;
};

/// Parses `; name=value` ... leniently. An unquoted value extends to the next ';' and may contain every visible
/// character but '"'. Returns std::nullopt on a syntax error.
[[nodiscard]] std::optional<std::vector<form_parameter>> parse_content_type_parameters(std::string_view text);

/// The same for a Content-Disposition, where a backslash escapes only a quote or another backslash: browsers send the
/// backslashes of a path unescaped. If that does not parse, as with filename="C:\", backslashes are literal.
[[nodiscard]] std::optional<std::vector<form_parameter>> parse_disposition_parameters(std::string_view text);

/// Reverses the encoding of names in multipart forms (HTML Standard): decodes %22, %0D and %0A to '"', CR and LF;
/// nothing else is an escape.
[[nodiscard]] std::string decode_form_name(std::string_view name);

/// Decodes an extended value (RFC 8187) in UTF-8 or ISO-8859-1 to UTF-8. Returns std::nullopt for another character
/// set, an invalid value and control characters.
[[nodiscard]] std::optional<std::string> decode_extended_value(std::string_view text);

}  // namespace rondo::http
