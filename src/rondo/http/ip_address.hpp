// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rondo::http {

/// An IPv4 or IPv6 address. An IPv4 address is kept as IPv6 does it (::ffff:192.0.2.1, RFC 4291 section 2.5.5.2), so
/// both spellings of one are equal.
struct ip_address {
    std::array<std::uint8_t, 16> bytes{};

    /// "192.0.2.1", "2001:db8::1"; no brackets, no zone, no port.
    [[nodiscard]] static std::optional<ip_address> parse(std::string_view text) noexcept;
    [[nodiscard]] static ip_address of_ipv4(const std::uint8_t* four) noexcept;
    [[nodiscard]] static ip_address of_ipv6(const std::uint8_t* sixteen) noexcept;

    [[nodiscard]] bool is_ipv4() const noexcept;
    [[nodiscard]] std::string text() const;
    friend bool operator==(const ip_address&, const ip_address&) = default;
};

/// Who is believed: addresses, networks, the peers of unix sockets. Empty: nobody.
class allow_list {
public:
    /// One of "192.0.2.1", "10.0.0.0/8", "2001:db8::/32", "unix", "*" (everybody). Throws std::invalid_argument with a
    /// sentence.
    void add(std::string_view item);
    [[nodiscard]] static allow_list of(std::initializer_list<std::string_view> items);

    [[nodiscard]] bool contains(const ip_address& address) const noexcept;
    /// A peer as its socket names it: an address or "unix".
    [[nodiscard]] bool contains_peer(std::string_view peer) const noexcept;
    [[nodiscard]] bool empty() const noexcept { return networks_.empty() && !unix_; }
    /// As it was added, separated by commas.
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
