// SPDX-License-Identifier: Apache-2.0
// Parses Range fields and formats Content-Range fields (RFC 9110 section 14).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rondo::http {

/// Bytes `first` to `last`, inclusive.
struct byte_range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;

    [[nodiscard]] constexpr std::uint64_t size() const noexcept { return last - first + 1; }
    friend constexpr bool operator==(byte_range, byte_range) = default;
};

struct range_set {
    enum class outcome : std::uint8_t {
        whole,          ///< no usable Range: respond as without one
        partial,        ///< respond 206 with `ranges`
        unsatisfiable,  ///< respond 416 with unsatisfied_range
    };
    outcome result = outcome::whole;
    std::vector<byte_range> ranges;  ///< not empty when `partial`; within the representation, in the requested order
};

/// Parses a Range field for a representation of `size` bytes (RFC 9110 section 14.2). Returns `whole` for another unit,
/// a syntax error, more than `max_ranges` ranges, or overlapping ranges whose total exceeds `size`.
[[nodiscard]] range_set parse_range(std::string_view value, std::uint64_t size, std::size_t max_ranges = 16);

/// "bytes 0-4/1000"
[[nodiscard]] std::string content_range(byte_range, std::uint64_t size);
/// "bytes */1000"
[[nodiscard]] std::string unsatisfied_range(std::uint64_t size);

}  // namespace rondo::http
