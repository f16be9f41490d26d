// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::http {

/// Times are in seconds since 1970-01-01 00:00:00 UTC, leap seconds not counted.
using unix_seconds = std::int64_t;

inline constexpr std::size_t date_size = 29;

/// Writes an IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT", and returns the end (RFC 9110 section 5.6.7). A time outside
/// the years 0 to 9999 is moved to the nearer end of them.
char* write_date(char* out, unix_seconds time) noexcept;
[[nodiscard]] std::string format_date(unix_seconds time);

/// Reads an IMF-fixdate, an RFC 850 date or an asctime date; nothing else, and only dates that exist. `now` settles the
/// century of a two-digit year: it is at most 50 years ahead.
[[nodiscard]] std::optional<unix_seconds> parse_date(std::string_view text, unix_seconds now) noexcept;

}  // namespace rondo::http
