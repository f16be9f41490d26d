// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/log_escape.hpp>

#include <algorithm>

#include <fmt/format.h>

namespace rondo::log {

namespace {

// How many bytes of valid UTF-8 (RFC 3629) `text` begins with, of one character; 0 when it is none.
std::size_t character_size(std::string_view text) {
    const auto byte = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const auto follows = [&byte](std::size_t i) { return byte(i) >= 0x80 && byte(i) < 0xc0; };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    if (first >= 0xc2 && first < 0xe0) return follows(1) ? 2 : 0;
    if (first >= 0xe0 && first < 0xf0) {
        const bool good =
            follows(1) && follows(2) && !(first == 0xe0 && byte(1) < 0xa0) && !(first == 0xed && byte(1) >= 0xa0);
        return good ? 3 : 0;
    }
    if (first < 0xf0 || first > 0xf4) return 0;
    const bool good = follows(1) && follows(2) && follows(3) && !(first == 0xf0 && byte(1) < 0x90) &&
                      !(first == 0xf4 && byte(1) >= 0x90);
    return good ? 4 : 0;
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t size = character_size(text);
        const auto first = static_cast<unsigned char>(text[0]);
        // U+0080 to U+009F are control characters too, and so are their bytes alone to some terminals.
        const bool second_set = size == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
        if (first == '\n') out += "\n    ";
        else if (size == 0 || first < 0x20 || first == 0x7f) out += fmt::format("\\x{:02x}", first);
        else if (second_set) out += fmt::format("\\xc2\\x{:02x}", static_cast<unsigned char>(text[1]));
        else out += text.substr(0, size);
        text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return out;
}

std::string json_escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t size = character_size(text);
        const char c = text[0];
        if (size == 0) out += "\\ufffd";
        else if (c == '"' || c == '\\') (out += '\\') += c;
        else if (c == '\n') out += "\\n";
        else if (size == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f))
            out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        else out += text.substr(0, size);
        text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return out;
}

}  // namespace rondo::log
