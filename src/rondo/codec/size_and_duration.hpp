// SPDX-License-Identifier: Apache-2.0
// Parses and formats durations ("250ms") and sizes ("64KiB").
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace rondo::codec {

/// Parses "250ms", "3s", "2m", "1h", "1.5s"; a number without a unit is in seconds. From 0 to a year. Throws
/// std::invalid_argument with a message for users.
[[nodiscard]] std::chrono::milliseconds parse_duration(std::string_view text);
/// The shortest text that parse_duration() parses to the same value: "90s", "2h", "1500ms".
[[nodiscard]] std::string duration_text(std::chrono::milliseconds duration);

/// Parses "512", "64KiB", "1MiB", "2GiB", "100kB", "1MB"; a number without a unit is in bytes. Throws
/// std::invalid_argument with a message for users.
[[nodiscard]] std::uint64_t parse_size(std::string_view text);
/// The text for parse_size(): "1MiB", "64KiB", "1500".
[[nodiscard]] std::string size_text(std::uint64_t bytes);

}  // namespace rondo::codec
