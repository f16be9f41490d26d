// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace rondo::log {

/// Without control characters, which would let a client forge lines or drive a terminal: they become \xHH, a line end
/// one with indentation.
[[nodiscard]] std::string escaped(std::string_view text);

/// The same for between the quotes of a JSON string (RFC 8259 section 7); what is no UTF-8 becomes U+FFFD.
[[nodiscard]] std::string json_escaped(std::string_view text);

}  // namespace rondo::log
