// SPDX-License-Identifier: Apache-2.0
// An encoder for PNG pictures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace message_board {

struct pixel {
    std::uint8_t red, green, blue;
};

/// A PNG file (RFC 2083) of 8-bit RGB. `pixels`: rows from the top, width * height of them.
[[nodiscard]] std::string png(std::span<const pixel> pixels, std::size_t width, std::size_t height);

}  // namespace message_board
