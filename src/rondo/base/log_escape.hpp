// SPDX-License-Identifier: Apache-2.0
// Escaping of log lines for text and JSON output.
#pragma once

#include <string>
#include <string_view>

namespace rondo::log {

/// Replaces control characters, by which a client could forge lines or control a terminal, and invalid UTF-8 by \xHH.
/// Lines after the first are indented.
[[nodiscard]] std::string escaped(std::string_view text);

/// Escapes the content of a JSON string (RFC 8259 section 7), without the quotes. Invalid UTF-8 becomes U+FFFD.
[[nodiscard]] std::string json_escaped(std::string_view text);

}  // namespace rondo::log
