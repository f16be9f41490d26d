// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rondo::http {

/// Bytes `first` to `last`, both included.
struct byte_range {
    std::uint64_t first = 0;
    std::uint64_t last = 0;

    [[nodiscard]] constexpr std::uint64_t size() const noexcept { return last - first + 1; }
    friend constexpr bool operator==(byte_range, byte_range) = default;
};

struct range_set {
    enum class outcome : std::uint8_t {
        whole,          ///< no usable Range: answer as if it were not there
        partial,        ///< answer 206 with `ranges`
        unsatisfiable,  ///< answer 416 with unsatisfied_range
    };
    outcome what = outcome::whole;
    std::vector<byte_range> ranges;  ///< at least one when `partial`, all within the representation, in the order asked
};

/// Parses a Range field for a representation of `size` bytes (RFC 9110 section 14.2). Ignored, that is `whole`: another
/// unit, a syntax error, more than `max_ranges` ranges, or ranges that overlap so that they pass the size of the whole.
[[nodiscard]] range_set parse_range(std::string_view value, std::uint64_t size, std::size_t max_ranges = 16);

/// "bytes 0-4/1000"
[[nodiscard]] std::string content_range(byte_range, std::uint64_t size);
/// "bytes */1000"
[[nodiscard]] std::string unsatisfied_range(std::uint64_t size);

}  // namespace rondo::http
