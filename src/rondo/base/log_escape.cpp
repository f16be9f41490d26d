// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/log_escape.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <rondo/base/utf8.hpp>

namespace rondo::log {

std::string escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t size = utf8_sequence_length(text);
        const auto first = static_cast<unsigned char>(text[0]);
        // U+0080 to U+009F are control characters (C1) too; some terminals interpret even their single bytes.
        const bool is_c1 = size == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
        if (first == '\n') out += "\n    ";
        else if (size == 0 || first < 0x20 || first == 0x7f) out += fmt::format("\\x{:02x}", first);
        else if (is_c1) out += fmt::format("\\xc2\\x{:02x}", static_cast<unsigned char>(text[1]));
        else out += text.substr(0, size);
        text.remove_prefix(std::max<std::size_t>(size, 1));
    }
    return out;
}

std::string json_escaped(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t size = utf8_sequence_length(text);
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
