// SPDX-License-Identifier: Apache-2.0
#include "png.hpp"

#include <zlib.h>

#include <stdexcept>
#include <string_view>

namespace message_board {
namespace {

void append_big_endian(std::string& out, std::uint32_t n) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(n >> shift & 0xFF);
}

const Bytef* as_bytes(std::string_view text) { return reinterpret_cast<const Bytef*>(text.data()); }

void append_chunk(std::string& out, std::string_view type, std::string_view data) {
    append_big_endian(out, static_cast<std::uint32_t>(data.size()));
    const std::size_t begin = out.size();
    out.append(type).append(data);
    const std::string_view type_and_data = std::string_view(out).substr(begin);
    append_big_endian(
        out, static_cast<std::uint32_t>(crc32(0, as_bytes(type_and_data), static_cast<uInt>(type_and_data.size()))));
}

std::string header(std::size_t width, std::size_t height) {
    std::string out;
    append_big_endian(out, static_cast<std::uint32_t>(width));
    append_big_endian(out, static_cast<std::uint32_t>(height));
    constexpr std::string_view eight_bits_rgb("\x08\x02\x00\x00\x00", 5);
    return out.append(eight_bits_rgb);
}

// Each row begins with its filter type: 1 (Sub), each byte minus that of the pixel to the left, which compresses well.
std::string filter_rows(std::span<const pixel> pixels, std::size_t width) {
    std::string out;
    out.reserve(pixels.size() * 3 + pixels.size() / width);
    pixel left{};
    for (std::size_t i = 0; i < pixels.size(); ++i) {
        if (i % width == 0) {
            out += '\1';
            left = {};
        }
        const pixel p = pixels[i];
        out += static_cast<char>(p.red - left.red);
        out += static_cast<char>(p.green - left.green);
        out += static_cast<char>(p.blue - left.blue);
        left = p;
    }
    return out;
}

std::string compress(std::string_view bytes) {
    uLongf size = compressBound(bytes.size());
    std::string out(size, '\0');
    if (compress2(reinterpret_cast<Bytef*>(out.data()), &size, as_bytes(bytes), bytes.size(), 6) != Z_OK)
        throw std::runtime_error("zlib failed to compress a picture");
    out.resize(size);
    return out;
}

}  // namespace

std::string png(std::span<const pixel> pixels, std::size_t width, std::size_t height) {
    std::string out("\x89PNG\r\n\x1A\n", 8);
    append_chunk(out, "IHDR", header(width, height));
    append_chunk(out, "IDAT", compress(filter_rows(pixels, width)));
    append_chunk(out, "IEND", {});
    return out;
}

}  // namespace message_board
