// SPDX-License-Identifier: Apache-2.0
/// The PROXY protocol, versions 1 and 2: a header before the first byte of a connection in which a proxy tells whose
/// connection it passes on. https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>

#include <rondo/http/ip_address.hpp>

namespace rondo::http {

struct proxy_header {
    enum class source : std::uint8_t {
        connection,  ///< the other end itself: LOCAL (a health check of the proxy), UNKNOWN, UNSPEC
        ip,          ///< `address` and `port`
        unix_socket,
    };
    source from = source::connection;
    ip_address address;
    std::uint16_t port = 0;
    bool secure = false;   ///< the client spoke TLS to the proxy (version 2, PP2_TYPE_SSL)
    std::size_t size = 0;  ///< bytes of the header; the client's own follow
};

enum class proxy_error : std::uint8_t {
    incomplete,  ///< what there is may be the beginning of a header
    malformed,   ///< it is none, or one of datagrams, or one larger than max_proxy_header
};

/// Bytes of the largest header that is accepted; version 1 ends at 107.
inline constexpr std::size_t max_proxy_header = 4096;

/// Parses the header that `bytes` begin with. What is no header is found out with its first wrong byte.
[[nodiscard]] std::expected<proxy_header, proxy_error> parse_proxy_header(std::string_view bytes) noexcept;

}  // namespace rondo::http
