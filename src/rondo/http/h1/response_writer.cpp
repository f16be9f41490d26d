// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/h1/response_writer.hpp>

#include <array>
#include <bit>
#include <cstring>

#include <rondo/http/h1/put_text.hpp>
#include <rondo/http/reason_phrases.hpp>

namespace rondo::http::h1 {
namespace {

constexpr int first_code = 100;
constexpr std::size_t code_count = 500;
constexpr std::size_t max_status_line = 55;
constexpr std::size_t reason_offset = std::string_view("HTTP/1.1 200 ").size();

struct status_line {
    std::array<char, max_status_line> text;
    std::uint8_t size;
};

constexpr status_line make_status_line(int code, std::string_view phrase) noexcept {
    status_line line{};
    const auto put = [&line](char c) { line.text[line.size++] = c; };
    for (const char c : std::string_view("HTTP/1.1 ")) put(c);
    for (const int unit : {100, 10, 1}) put(static_cast<char>('0' + code / unit % 10));
    put(' ');
    for (const char c : phrase) put(c);
    put('\r');
    put('\n');
    return line;
}

constexpr auto status_lines = [] {
    std::array<status_line, code_count> lines{};
    for (std::size_t i = 0; i < code_count; ++i) lines[i] = make_status_line(first_code + static_cast<int>(i), {});
    for (const reason_phrase& known : reason_phrases) {
        lines[static_cast<std::size_t>(to_int(known.code) - first_code)] =
            make_status_line(to_int(known.code), known.text);
    }
    return lines;
}();

constexpr auto digit_pairs = [] {
    std::array<char, 200> pairs{};
    for (std::size_t i = 0; i < 100; ++i) {
        pairs[2 * i] = static_cast<char>('0' + i / 10);
        pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
    return pairs;
}();

[[nodiscard]] char* put_connection(char* out, connection_option option) noexcept {
    switch (option) {
        case connection_option::close: return put(out, "Connection: close\r\n");
        case connection_option::keep_alive: return put(out, "Connection: keep-alive\r\n");
        case connection_option::upgrade: return put(out, "Connection: Upgrade\r\n");
        case connection_option::none: break;
    }
    return out;
}

}  // namespace

char* write_decimal(char* out, std::uint64_t number) noexcept {
    std::array<char, max_decimal_size> digits;
    std::size_t at = digits.size();
    while (number >= 100) {
        at -= 2;
        std::memcpy(&digits[at], &digit_pairs[2 * (number % 100)], 2);
        number /= 100;
    }
    if (number >= 10) {
        at -= 2;
        std::memcpy(&digits[at], &digit_pairs[2 * number], 2);
    } else {
        digits[--at] = static_cast<char>('0' + number);
    }
    const std::size_t size = digits.size() - at;
    std::memcpy(out, &digits[at], size);
    return out + size;
}

char* write_chunk_header(char* out, std::uint64_t size) noexcept {
    const int digits = (std::bit_width(size | 1) + 3) / 4;
    for (int i = digits - 1; i >= 0; --i) *out++ = "0123456789abcdef"[(size >> (4 * i)) & 15];
    return put(out, "\r\n");
}

char* write_response_head(char* out, const response_parts& head) noexcept {
    const status_line& line = status_lines[static_cast<std::size_t>(to_int(head.code) - first_code)];
    std::memcpy(out, line.text.data(), max_status_line);
    if (head.reason.empty()) [[likely]]
        out += line.size;
    else out = put(put(out + reason_offset, head.reason), "\r\n");
    if (!head.date.empty()) {
        out = put(out, "Date: ");
        out = put(out, head.date);
        out = put(out, "\r\n");
    }
    if (!head.content_type.empty()) {
        out = put(out, "Content-Type: ");
        out = put(out, head.content_type);
        out = put(out, "\r\n");
    }
    if (head.body == framing::length) {
        out = put(out, "Content-Length: ");
        out = write_decimal(out, head.content_length);
        out = put(out, "\r\n");
    } else if (head.body == framing::chunked) {
        out = put(out, "Transfer-Encoding: chunked\r\n");
    }
    out = put_connection(out, head.connection);
    if (head.fields != nullptr && !head.fields->empty()) out = put(out, head.fields->wire());
    return put(out, "\r\n");
}

}  // namespace rondo::http::h1
