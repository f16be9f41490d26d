// SPDX-License-Identifier: Apache-2.0
// Reads and writes the dates of HTTP fields (RFC 9110 section 5.6.7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::http {

/// Seconds since 1970-01-01 00:00:00 UTC, without leap seconds.
using unix_seconds = std::int64_t;

inline constexpr std::size_t date_size = 29;

/// Writes an IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT", and returns the end. Clamps the time to the years 0 to 9999.
char* write_date(char* out, unix_seconds time) noexcept;
[[nodiscard]] std::string format_date(unix_seconds time);

/// Parses an IMF-fixdate, an RFC 850 date or an asctime date; rejects dates that do not exist. `now` determines the
/// century of a two-digit year, which is at most 50 years in the future.
[[nodiscard]] std::optional<unix_seconds> parse_date(std::string_view text, unix_seconds now) noexcept;

}  // namespace rondo::http
