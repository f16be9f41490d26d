// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/proxy_protocol.hpp>

#include <algorithm>
#include <array>
#include <optional>

#include <rondo/base/parse_number.hpp>

namespace rondo::http {

namespace {

using parsed = std::expected<proxy_header, proxy_error>;

constexpr std::string_view text_signature = "PROXY ";
constexpr std::string_view binary_signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t max_text_size = 107;  // section 2.1, with CRLF
constexpr std::size_t binary_fixed = 16;    // signature, version and command, family, length

const std::unexpected incomplete(proxy_error::incomplete);
const std::unexpected malformed(proxy_error::malformed);

std::uint8_t byte_at(std::string_view text, std::size_t at) noexcept { return static_cast<std::uint8_t>(text[at]); }

std::uint16_t number_at(std::string_view text, std::size_t at) noexcept {
    return static_cast<std::uint16_t>(byte_at(text, at) << 8 | byte_at(text, at + 1));
}

const std::uint8_t* bytes_at(std::string_view text, std::size_t at) noexcept {
    return reinterpret_cast<const std::uint8_t*>(text.data() + at);
}

// Decimal, without sign or leading zeros.
std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
    if (text.size() > 1 && text[0] == '0') return std::nullopt;
    return parse_number<std::uint16_t>(text);
}

// "TCP4 192.0.2.1 192.0.2.2 1234 80", between the signature and CRLF.
parsed parse_line(std::string_view line, std::size_t size) noexcept {
    proxy_header out;
    out.size = size;
    if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return out;
    std::array<std::string_view, 5> words;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::size_t space = line.find(' ');
        if ((space == line.npos) != (i + 1 == words.size())) return malformed;
        words[i] = line.substr(0, space);
        line.remove_prefix(space == line.npos ? line.size() : space + 1);
    }
    const auto from = ip_address::parse(words[1]);
    const auto to = ip_address::parse(words[2]);
    const auto from_port = parse_port(words[3]);
    if (!from || !to || !from_port || !parse_port(words[4])) return malformed;
    const bool is_ipv4 = words[0] == "TCP4";
    if (!is_ipv4 && words[0] != "TCP6") return malformed;
    const auto matches_family = [is_ipv4](std::string_view address) {
        return (address.find(':') == address.npos) == is_ipv4;
    };
    if (!matches_family(words[1]) || !matches_family(words[2])) return malformed;
    out.source_type = proxy_header::source::ip;
    out.address = *from;
    out.port = *from_port;
    return out;
}

parsed parse_text(std::string_view bytes) noexcept {
    const std::size_t end = bytes.substr(0, max_text_size).find('\n');
    if (end == bytes.npos) {
        // A CR without LF, or a line that exceeds the limit.
        const std::size_t cr = bytes.find('\r');
        const bool invalid = bytes.size() >= max_text_size || (cr != bytes.npos && cr + 1 != bytes.size());
        return invalid ? parsed(malformed) : parsed(incomplete);
    }
    if (bytes[end - 1] != '\r') return malformed;
    const std::string_view line = bytes.substr(text_signature.size(), end - 1 - text_signature.size());
    if (line.find('\r') != line.npos || line.find('\0') != line.npos) return malformed;
    return parse_line(line, end + 1);
}

// A list of type, length and value. Only whether the client spoke TLS is used.
bool read_extensions(std::string_view remaining, bool& secure) noexcept {
    constexpr std::uint8_t ssl = 0x20;
    constexpr std::uint8_t client_ssl = 0x01;
    while (!remaining.empty()) {
        if (remaining.size() < 3) return false;
        const std::size_t length = number_at(remaining, 1);
        if (remaining.size() < 3 + length) return false;
        if (byte_at(remaining, 0) == ssl && length >= 5) secure = (byte_at(remaining, 3) & client_ssl) != 0;
        remaining.remove_prefix(3 + length);
    }
    return true;
}

parsed parse_binary(std::string_view bytes) noexcept {
    if (bytes.size() > 12 && byte_at(bytes, 12) >> 4 != 2) return malformed;
    if (bytes.size() > 12 && (byte_at(bytes, 12) & 0x0f) > 1) return malformed;
    if (bytes.size() < binary_fixed) return incomplete;
    proxy_header out;
    out.size = binary_fixed + number_at(bytes, 14);
    if (out.size > max_proxy_header) return malformed;
    if (bytes.size() < out.size) return incomplete;
    if ((byte_at(bytes, 12) & 0x0f) == 0) return out;  // LOCAL: the rest of the header is ignored

    const std::string_view remaining = bytes.substr(binary_fixed, out.size - binary_fixed);
    std::size_t addresses = 0;
    switch (byte_at(bytes, 13)) {
        case 0x00: return out;  // UNSPEC: likewise
        case 0x11: addresses = 12; break;
        case 0x21: addresses = 36; break;
        case 0x31: addresses = 216; break;
        default: return malformed;
    }
    if (remaining.size() < addresses || !read_extensions(remaining.substr(addresses), out.secure)) return malformed;
    out.source_type = addresses == 216 ? proxy_header::source::unix_socket : proxy_header::source::ip;
    if (addresses == 12)
        out.address = ip_address::from_ipv4(bytes_at(remaining, 0)), out.port = number_at(remaining, 8);
    if (addresses == 36)
        out.address = ip_address::from_ipv6(bytes_at(remaining, 0)), out.port = number_at(remaining, 32);
    return out;
}

}  // namespace

parsed parse_proxy_header(std::string_view bytes) noexcept {
    for (std::string_view signature : {text_signature, binary_signature}) {
        const std::size_t size = std::min(bytes.size(), signature.size());
        if (bytes.substr(0, size) != signature.substr(0, size)) continue;
        if (size < signature.size()) return incomplete;
        return signature == text_signature ? parse_text(bytes) : parse_binary(bytes);
    }
    return malformed;
}

}  // namespace rondo::http
