// SPDX-License-Identifier: Apache-2.0
// Evaluates conditional requests (RFC 9110 section 13).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <rondo/http/date.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/http/method.hpp>

namespace rondo::http {

/// The validators of the selected representation.
struct validators {
    std::string_view etag = {};                      ///< with quotes, as in the ETag field; empty: none
    std::optional<unix_seconds> last_modified = {};  ///< none: unknown
    bool exists = true;                              ///< false for a target that has no representation yet
};

enum class precondition : std::uint8_t {
    proceed,
    not_modified,  ///< answer 304
    failed,        ///< answer 412
};

/// Evaluates If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since in the order of RFC 9110
/// section 13.2.2. Call it only when the response would be 2xx without them. `now` is used for RFC 850 dates.
[[nodiscard]] precondition evaluate(method, const fields_view& request, const validators&, unix_seconds now) noexcept;

/// Returns true when Range applies: there is no If-Range, or it matches the representation (RFC 9110 section 13.1.5).
[[nodiscard]] bool range_applies(const fields_view& request, const validators&, unix_seconds now) noexcept;

}  // namespace rondo::http
