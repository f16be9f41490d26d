// SPDX-License-Identifier: Apache-2.0
// What RFC 9112 lets a client mend in the heads of old servers.
#pragma once

#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include <rondo/http/fields.hpp>
#include <rondo/http/h1/parser.hpp>
#include <rondo/http/h1/response_parser.hpp>
#include <rondo/http/method.hpp>

namespace rondo::http::h1 {

/// The size of the head that the bytes begin with, the blank line included; npos when its end has not come.
[[nodiscard]] std::size_t head_end(std::string_view bytes) noexcept;

/// Makes what parse_response_head() refuses valid where RFC 9112 says how a response is to be understood: a folded line
/// becomes one line (section 5.2), white space between a field name and the colon goes (section 5.1). The size stays
/// the same. False when there was nothing of that kind. Never for requests, where two readers could disagree.
bool mend_response_head(std::string& head) noexcept;

/// parse_response_head(), and where that fails once more with the head mended, within the same limits. Then `mended`
/// has the bytes that `out` counts in; otherwise it is empty. The sizes are the same. A line that may be folded yet is
/// not judged before it is known. Throws std::bad_alloc.
[[nodiscard]] std::expected<void, parse_error> parse_mended_response_head(std::string_view bytes, method method,
                                                                          const parse_limits& limits,
                                                                          std::span<field_ref> storage,
                                                                          received_head& out, std::string& mended);

}  // namespace rondo::http::h1
