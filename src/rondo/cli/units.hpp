// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace rondo::cli {

/// "250ms", "3s", "2m", "1h", "1.5s"; a bare number counts seconds. From 0 to a year. Throws std::invalid_argument with
/// a sentence.
[[nodiscard]] std::chrono::milliseconds parse_duration(std::string_view text);

/// "512", "64KiB", "1MiB", "2GiB", "100kB", "1MB"; a bare number counts bytes. Throws std::invalid_argument with a
/// sentence.
[[nodiscard]] std::uint64_t parse_size(std::string_view text);

}  // namespace rondo::cli
