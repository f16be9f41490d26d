// SPDX-License-Identifier: Apache-2.0
#include <rondo/http/ip_address.hpp>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include <arpa/inet.h>
#include <fmt/format.h>

#include <rondo/base/parse_number.hpp>

namespace rondo::http {

namespace {

constexpr std::array<std::uint8_t, 12> ipv4_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

[[noreturn]] void throw_invalid_item(std::string_view item, std::string_view reason) {
    throw std::invalid_argument(fmt::format(
        "'{}' {}; expected an address or network (127.0.0.1, 10.0.0.0/8, 2001:db8::/32), unix or *", item, reason));
}

// Bits set outside the network, as in 10.0.0.1/8, are usually a mistake.
bool has_host_bits(const ip_address& a, unsigned bits) {
    for (unsigned i = bits; i < 128; ++i)
        if (a.bytes[i / 8] & (0x80u >> (i % 8))) return true;
    return false;
}

}  // namespace

ip_address ip_address::from_ipv4(const std::uint8_t* bytes4) noexcept {
    ip_address a;
    std::ranges::copy(ipv4_prefix, a.bytes.begin());
    std::memcpy(a.bytes.data() + ipv4_prefix.size(), bytes4, 4);
    return a;
}

ip_address ip_address::from_ipv6(const std::uint8_t* bytes16) noexcept {
    ip_address a;
    std::memcpy(a.bytes.data(), bytes16, a.bytes.size());
    return a;
}

std::optional<ip_address> ip_address::parse(std::string_view text) noexcept {
    char terminated[INET6_ADDRSTRLEN];
    if (text.size() >= sizeof terminated || text.find('\0') != text.npos) return std::nullopt;
    *std::ranges::copy(text, terminated).out = '\0';
    std::uint8_t bytes[16];
    if (inet_pton(AF_INET, terminated, bytes) == 1) return from_ipv4(bytes);
    if (inet_pton(AF_INET6, terminated, bytes) == 1) return from_ipv6(bytes);
    return std::nullopt;
}

bool ip_address::is_ipv4() const noexcept { return std::equal(ipv4_prefix.begin(), ipv4_prefix.end(), bytes.begin()); }

std::string ip_address::text() const {
    char out[INET6_ADDRSTRLEN] = "";
    if (is_ipv4()) inet_ntop(AF_INET, bytes.data() + ipv4_prefix.size(), out, sizeof out);
    else inet_ntop(AF_INET6, bytes.data(), out, sizeof out);
    return out;
}

void allow_list::add(std::string_view item) {
    if (item == "*") {
        networks_.push_back({ip_address{}, 0});
        unix_ = true;
    } else if (item == "unix") {
        unix_ = true;
    } else {
        const std::size_t slash = item.find('/');
        const auto address = ip_address::parse(item.substr(0, slash));
        if (!address) throw_invalid_item(item, "is not an address");
        unsigned max_bits = item.find(':') == item.npos ? 32 : 128;
        unsigned bits = max_bits;
        if (slash != item.npos) {
            const std::optional<unsigned> length = parse_number<unsigned>(item.substr(slash + 1));
            bits = length.value_or(max_bits + 1);
            if (bits > max_bits) throw_invalid_item(item, "has an invalid prefix length");
        }
        bits += 128 - max_bits;
        if (has_host_bits(*address, bits)) throw_invalid_item(item, "is not a network: bits after the prefix are set");
        networks_.push_back({*address, bits});
    }
    text_.append(text_.empty() ? "" : ",").append(item);
}

allow_list allow_list::parse(std::initializer_list<std::string_view> items) {
    allow_list list;
    for (std::string_view item : items) list.add(item);
    return list;
}

bool allow_list::contains(const ip_address& address) const noexcept {
    return std::ranges::any_of(networks_, [&](const network& n) {
        const unsigned whole_bytes = n.bits / 8;
        if (!std::equal(n.address.bytes.begin(), n.address.bytes.begin() + whole_bytes, address.bytes.begin()))
            return false;
        const auto mask = static_cast<std::uint8_t>(0xff00u >> (n.bits % 8));
        return n.bits % 8 == 0 || ((n.address.bytes[whole_bytes] ^ address.bytes[whole_bytes]) & mask) == 0;
    });
}

bool allow_list::contains_peer(std::string_view peer) const noexcept {
    if (peer == "unix") return unix_;
    const auto address = ip_address::parse(peer);
    return address && contains(*address);
}

}  // namespace rondo::http
