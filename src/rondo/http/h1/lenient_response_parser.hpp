// SPDX-License-Identifier: Apache-2.0
// A lenient parser of response heads, which repairs what RFC 9112 allows a client to repair.
#pragma once

#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include <rondo/http/fields.hpp>
#include <rondo/http/h1/request_parser.hpp>
#include <rondo/http/h1/response_parser.hpp>
#include <rondo/http/method.hpp>

namespace rondo::http::h1 {

/// Returns the size of the head at the start of the bytes, including the blank line; npos while it is incomplete.
[[nodiscard]] std::size_t find_head_end(std::string_view bytes) noexcept;

/// Repairs, in place, what parse_response_head() rejects but RFC 9112 defines for responses: joins folded lines
/// (section 5.2) and moves white space between a field name and the colon behind it (section 5.1). The size does not
/// change. Returns false when nothing was repaired. Not for requests, where two parsers could disagree.
bool repair_response_head(std::string& head) noexcept;

/// Calls parse_response_head() and, if it fails, retries with the repaired head within the same limits. Then `repaired`
/// holds the bytes that the offsets in `out` refer to; otherwise it is empty. The sizes are the same. A line that may
/// still be folded is not an error yet. Throws std::bad_alloc.
[[nodiscard]] std::expected<void, parse_error> parse_response_head_leniently(std::string_view bytes, method method,
                                                                             const parse_limits& limits,
                                                                             std::span<field_ref> storage,
                                                                             received_head& out, std::string& repaired);

}  // namespace rondo::http::h1
