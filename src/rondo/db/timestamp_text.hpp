// SPDX-License-Identifier: Apache-2.0
// Timestamps as the text that databases read and write.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::db {

/// A point in time as databases store it: microseconds since 1970, UTC.
using time_point = std::chrono::sys_time<std::chrono::microseconds>;

/// Appends "2026-01-31 12:34:56.789000", UTC. Returns false and appends nothing outside the years 1 to 9999.
[[nodiscard]] bool append_timestamp(std::string& out, time_point point);

/// Parses what databases write: "2026-01-31", optionally followed by " 12:34", ":56", ".789" and an offset ("Z", "+01",
/// "-03:30"; UTC when absent). 'T' may replace the space.
[[nodiscard]] std::optional<time_point> parse_timestamp(std::string_view text) noexcept;

}  // namespace rondo::db
