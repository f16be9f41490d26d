// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/authority.hpp>

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include <rondo/http/characters.hpp>

namespace rondo::http {
namespace {

constexpr std::size_t max_ipv6_text = 45;

bool is_ipv6(std::string_view text) noexcept {
    if (text.size() > max_ipv6_text) return false;
    // inet_pton() stops at NUL; one inside the text would hide the rest.
    std::array<char, max_ipv6_text + 1> terminated{};
    std::copy(text.begin(), text.end(), terminated.begin());
    if (text.find('\0') != std::string_view::npos) return false;
    in6_addr address;
    return inet_pton(AF_INET6, terminated.data(), &address) == 1;
}

// "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )
bool is_ip_future(std::string_view text) noexcept {
    if (text.size() < 4 || characters::to_lower(text[0]) != 'v') return false;
    const std::size_t dot = text.find('.');
    if (dot == std::string_view::npos || dot < 2 || dot + 1 == text.size()) return false;
    const auto hex = [](char c) { return characters::is(c, characters::hex); };
    const auto allowed = [](char c) { return characters::is(c, characters::host) || c == ':'; };
    return std::all_of(text.begin() + 1, text.begin() + static_cast<std::ptrdiff_t>(dot), hex) &&
           std::all_of(text.begin() + static_cast<std::ptrdiff_t>(dot) + 1, text.end(), allowed);
}

// The size of the IP literal at the start of the text; 0 when it is invalid.
std::size_t bracketed_size(std::string_view text) noexcept {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return 0;
    const std::string_view inside = text.substr(1, close - 1);
    return is_ipv6(inside) || is_ip_future(inside) ? close + 1 : 0;
}

std::size_t name_size(std::string_view text) noexcept {
    std::size_t i = 0;
    for (;;) {
        while (i < text.size() && characters::is(text[i], characters::host)) ++i;
        const bool escape = text.size() - i > 2 && text[i] == '%' && characters::is(text[i + 1], characters::hex) &&
                            characters::is(text[i + 2], characters::hex);
        if (!escape) return i;
        i += 3;
    }
}

// Returns false when the text is not a port. An empty text is valid and leaves `port` unset.
bool read_port(std::string_view text, std::optional<std::uint16_t>& port) noexcept {
    unsigned number = 0;
    for (const char c : text) {
        if (!characters::is(c, characters::digit)) return false;
        number = number * 10 + static_cast<unsigned>(c - '0');
        if (number > 65535) return false;
    }
    if (!text.empty()) port = static_cast<std::uint16_t>(number);
    return true;
}

}  // namespace

std::optional<authority> parse_authority(std::string_view text) noexcept {
    if (text.empty()) return std::nullopt;
    const std::size_t size = text[0] == '[' ? bracketed_size(text) : name_size(text);
    if (size == 0) return std::nullopt;
    authority result{text.substr(0, size), std::nullopt};
    text.remove_prefix(size);
    if (text.empty()) return result;
    if (text[0] != ':' || !read_port(text.substr(1), result.port)) return std::nullopt;
    return result;
}

bool is_valid_authority(std::string_view text) noexcept {
    const char* p = text.data();
    const char* const end = p + text.size();
    while (p != end && characters::is(*p, characters::host)) ++p;
    if (p == end) return !text.empty();
    const std::ptrdiff_t digits = end - p - 1;
    if (*p != ':' || p == text.data() || digits < 1 || digits > 5) return parse_authority(text).has_value();
    while (++p != end && characters::is(*p, characters::digit)) {
    }
    return p == end && (digits < 5 || std::memcmp(end - digits, "65535", 5) <= 0);
}

}  // namespace rondo::http
