// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::db {

/// A point in time as databases keep it: microseconds since 1970 in UTC.
using time_point = std::chrono::sys_time<std::chrono::microseconds>;

/// Adds "2026-01-31 12:34:56.789000", UTC; years 1 to 9999. False, and nothing added, for others.
[[nodiscard]] bool append_time(std::string& out, time_point at);

/// What databases write: "2026-01-31", then perhaps " 12:34", ":56", ".789", then perhaps an offset ("Z", "+01",
/// "-03:30"); UTC without one. 'T' serves as the space.
[[nodiscard]] std::optional<time_point> parse_time(std::string_view text) noexcept;

}  // namespace rondo::db
