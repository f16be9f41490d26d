// SPDX-License-Identifier: Apache-2.0
// Streaming decompression of content codings with bounded output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace rondo::codec {

/// Decodes a content coding from pieces of any size. The output of each call is bounded, so that a small input cannot
/// exhaust memory.
class decompressor {
public:
    enum class decode_status : std::uint8_t {
        needs_input,  ///< all input was consumed; more is needed
        output_full,  ///< the output limit was reached: call again with the rest of the input
        ended,        ///< the input is complete; more may follow, as gzip and zstd allow
        invalid,      ///< the input is invalid
    };
    struct result {
        decode_status status;
        std::size_t consumed;  ///< bytes of the input
    };

    virtual ~decompressor() = default;
    /// Appends at most `limit` bytes to `out`. gzip may consist of several members with zero bytes after the last (RFC
    /// 1952 section 2.2), zstd of several frames (RFC 8878 section 3); any other trailing data is `invalid`.
    /// Throws std::bad_alloc.
    [[nodiscard]] virtual result decode(std::string_view in, std::string& out, std::size_t limit) = 0;

    /// Returns a decompressor for "gzip", "x-gzip", "deflate" (RFC 9110 section 8.4.1), "br" (RFC 7932) or "zstd" (RFC
    /// 8878, with a window of at most 8 MiB), compared without case; null for any other coding.
    [[nodiscard]] static std::unique_ptr<decompressor> make(std::string_view coding);
};

/// Value of an Accept-Encoding field for these codings.
inline constexpr std::string_view accepted_codings = "gzip, br, zstd";

}  // namespace rondo::codec
