// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <rondo/client/exchange.hpp>
#include <rondo/codec/decompress.hpp>

namespace rondo::detail {

/// The state of a body whose coding is undone while it is read.
struct client_exchange::decoding {
    decoding(std::unique_ptr<codec::decompressor> d, unsigned ratio) noexcept
        : decoder(std::move(d)), max_ratio(ratio > 0 ? ratio : 1) {}

    std::unique_ptr<codec::decompressor> decoder;
    std::string out;          ///< what was given out last
    std::string_view rest;    ///< of the last piece; holds as long as the piece
    std::uint64_t taken = 0;  ///< coded bytes
    std::uint64_t given = 0;  ///< decoded bytes
    unsigned max_ratio;
    bool full = false;  ///< there is more output than was asked for
    bool ended = false;
};

}  // namespace rondo::detail
