// SPDX-License-Identifier: Apache-2.0
// The state of a response body whose Content-Encoding is decoded while it is read.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <rondo/client/exchange.hpp>
#include <rondo/codec/decompress.hpp>

namespace rondo::detail {

/// The state of a response body that is decoded while it is read.
struct client_exchange::decoding {
    decoding(std::unique_ptr<codec::decompressor> d, unsigned ratio) noexcept
        : decoder(std::move(d)), max_ratio(ratio > 0 ? ratio : 1) {}

    std::unique_ptr<codec::decompressor> decoder;
    std::string out;                  ///< the decoded bytes returned last
    std::string_view undecoded;       ///< undecoded part of the last piece; valid as long as the piece
    std::uint64_t encoded_bytes = 0;  ///< encoded bytes consumed
    std::uint64_t decoded_bytes = 0;  ///< decoded bytes produced
    unsigned max_ratio;
    bool has_more_output = false;  ///< the decoder has more output than fits one piece
    bool ended = false;
};

}  // namespace rondo::detail
