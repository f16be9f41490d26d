// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rondo::http {

/// A parameter of a form: of the Content-Type of its body, or of the Content-Disposition of a part.
struct form_parameter {
    std::string name;  ///< in lower case
    std::string value;
    bool quoted = false;
};

/// Parses `; name=value` ... as clients of forms send it. An unquoted value goes up to the next ';' and may hold every
/// visible character but '"'. None on a syntax error.
[[nodiscard]] std::optional<std::vector<form_parameter>> parse_content_type_parameters(std::string_view text);

/// The same for a Content-Disposition, where a backslash escapes a quote or another backslash only: browsers send those
/// of a path as they are. If the text makes no sense in this way, as with filename="C:\", backslashes are literal.
[[nodiscard]] std::optional<std::vector<form_parameter>> parse_disposition_parameters(std::string_view text);

/// Undoes what the HTML standard does to names of a multipart form: %22, %0D and %0A are '"', CR and LF, and nothing
/// else is an escape.
[[nodiscard]] std::string decode_form_name(std::string_view name);

/// An extended value (RFC 8187) in UTF-8 or ISO-8859-1, as UTF-8. None for another character set and for what is not
/// valid or holds a control character.
[[nodiscard]] std::optional<std::string> decode_extended_value(std::string_view text);

}  // namespace rondo::http
