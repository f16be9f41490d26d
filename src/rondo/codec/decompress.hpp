// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace rondo::codec {

/// Undoes a content coding, in pieces cut anywhere. Bounded: no call gives much more than it was allowed to, so that a
/// small input cannot become a large memory.
class decompressor {
public:
    enum class state : std::uint8_t {
        more,   ///< all input was taken; there may be more output later
        full,   ///< the output is as large as allowed: call again with the rest of the input
        ended,  ///< the coded text is complete; with more input it may go on, as gzip and zstd allow
        bad,    ///< it is not valid
    };
    struct result {
        state what;
        std::size_t consumed;  ///< of the input
    };

    virtual ~decompressor() = default;
    /// Appends to `out`, at most `most` bytes. gzip may consist of several members with zero bytes behind the last (RFC
    /// 1952 section 2.2), zstd of several frames (RFC 8878 section 3); anything else behind the end is `bad`.
    /// Throws std::bad_alloc.
    [[nodiscard]] virtual result decode(std::string_view in, std::string& out, std::size_t most) = 0;

    /// For "gzip", "x-gzip", "deflate" (RFC 9110 section 8.4.1), "br" (RFC 7932), "zstd" (RFC 8878, a window of 8 MiB
    /// at most); without case. Null for any other coding.
    [[nodiscard]] static std::unique_ptr<decompressor> make(std::string_view coding);
};

/// The value of Accept-Encoding that says so.
inline constexpr std::string_view accepted_codings = "gzip, br, zstd";

}  // namespace rondo::codec
