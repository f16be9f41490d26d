// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <rondo/http/date.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/http/method.hpp>

namespace rondo::http {

/// What is known of the selected representation.
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
/// section 13.2.2. To be called only when the request would be answered 2xx without them. `now` is for RFC 850 dates.
[[nodiscard]] precondition evaluate(method, const fields_view& request, const validators&, unix_seconds now) noexcept;

/// True when a Range field may be used: there is no If-Range, or it names the representation (RFC 9110 section 13.1.5).
[[nodiscard]] bool range_applies(const fields_view& request, const validators&, unix_seconds now) noexcept;

}  // namespace rondo::http
