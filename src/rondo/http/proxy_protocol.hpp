// SPDX-License-Identifier: Apache-2.0
// Parses the header of the PROXY protocol, versions 1 and 2, which names the client of a proxied connection.
// https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>

#include <rondo/http/ip_address.hpp>

namespace rondo::http {

struct proxy_header {
    enum class source : std::uint8_t {
        connection,  ///< the peer itself: LOCAL (a health check of the proxy), UNKNOWN, UNSPEC
        ip,          ///< `address` and `port`
        unix_socket,
    };
    source source_type = source::connection;
    ip_address address;
    std::uint16_t port = 0;
    bool secure = false;   ///< the client spoke TLS to the proxy (version 2, PP2_TYPE_SSL)
    std::size_t size = 0;  ///< bytes of the header; the client's data follows
};

enum class proxy_error : std::uint8_t {
    incomplete,  ///< no error yet: call again with more bytes
    malformed,   ///< not a header, one for datagrams, or larger than max_proxy_header
};

/// The size limit of a header in bytes; version 1 has at most 107.
inline constexpr std::size_t max_proxy_header = 4096;

/// Parses the header at the start of `bytes`. Detects malformed input at its first wrong byte.
[[nodiscard]] std::expected<proxy_header, proxy_error> parse_proxy_header(std::string_view bytes) noexcept;

}  // namespace rondo::http
