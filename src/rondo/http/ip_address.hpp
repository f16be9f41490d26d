// SPDX-License-Identifier: Apache-2.0
// IP addresses, and lists of allowed addresses and networks.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rondo::http {

/// An IPv4 or IPv6 address. An IPv4 address is stored as IPv4-mapped IPv6 (::ffff:192.0.2.1, RFC 4291 section 2.5.5.2),
/// so both forms compare equal.
struct ip_address {
    std::array<std::uint8_t, 16> bytes{};

    /// Parses "192.0.2.1" and "2001:db8::1"; brackets, a zone or a port are invalid.
    [[nodiscard]] static std::optional<ip_address> parse(std::string_view text) noexcept;
    [[nodiscard]] static ip_address from_ipv4(const std::uint8_t* bytes4) noexcept;
    [[nodiscard]] static ip_address from_ipv6(const std::uint8_t* bytes16) noexcept;

    [[nodiscard]] bool is_ipv4() const noexcept;
    [[nodiscard]] std::string text() const;
    friend bool operator==(const ip_address&, const ip_address&) = default;
};

/// Allowed peers: addresses, networks, peers of unix sockets. An empty list allows none.
class allow_list {
public:
    /// Adds one of "192.0.2.1", "10.0.0.0/8", "2001:db8::/32", "unix", "*" (every peer). Throws std::invalid_argument
    /// with a user-facing message.
    void add(std::string_view item);
    [[nodiscard]] static allow_list parse(std::initializer_list<std::string_view> items);

    [[nodiscard]] bool contains(const ip_address& address) const noexcept;
    /// `peer` is an address or "unix".
    [[nodiscard]] bool contains_peer(std::string_view peer) const noexcept;
    [[nodiscard]] bool empty() const noexcept { return networks_.empty() && !unix_; }
    /// The items as added, separated by commas.
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    struct network {
        ip_address address;
        unsigned bits;  // of 128
    };
    std::vector<network> networks_;
    bool unix_ = false;
    std::string text_;
};

}  // namespace rondo::http
