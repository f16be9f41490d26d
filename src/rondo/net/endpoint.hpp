// SPDX-License-Identifier: Apache-2.0
// A socket address to connect to.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::net {

/// An address to connect to: IPv4 or IPv6 with a port, or the path of a unix socket. A value type.
class endpoint {
public:
    /// `address` points to a sockaddr of `size` bytes. Throws std::invalid_argument when the size is out of range.
    endpoint(const void* address, std::size_t size);

    /// Parses "127.0.0.1", "::1", "fe80::1%eth0"; std::nullopt when `host` is a name.
    [[nodiscard]] static std::optional<endpoint> numeric(std::string_view host, std::uint16_t port);
    /// Throws std::invalid_argument when the path is empty or longer than 107 bytes.
    [[nodiscard]] static endpoint unix_path(std::string_view path);

    [[nodiscard]] int family() const noexcept;
    [[nodiscard]] const void* address() const noexcept { return bytes_.data(); }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// Has no effect on a unix socket.
    void set_port(std::uint16_t port) noexcept;

    /// "127.0.0.1:80", "[::1]:80", "unix:/run/app.sock"
    [[nodiscard]] std::string text() const;

private:
    alignas(8) std::array<std::byte, 112> bytes_{};
    std::uint32_t size_;
};

}  // namespace rondo::net
