// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace rondo::codec {

/// "250ms", "3s", "2m", "1h", "1.5s"; a bare number counts seconds. From 0 to a year. Throws std::invalid_argument with
/// a sentence.
[[nodiscard]] std::chrono::milliseconds parse_duration(std::string_view text);
/// The shortest text that parse_duration() reads as the same: "90s" is "90s", "2h" is "2h", "1500ms" is "1500ms".
[[nodiscard]] std::string duration_text(std::chrono::milliseconds duration);

/// "512", "64KiB", "1MiB", "2GiB", "100kB", "1MB"; a bare number counts bytes. Throws std::invalid_argument with a
/// sentence.
[[nodiscard]] std::uint64_t parse_size(std::string_view text);
/// "1MiB", "64KiB", "1500".
[[nodiscard]] std::string size_text(std::uint64_t bytes);

}  // namespace rondo::codec
