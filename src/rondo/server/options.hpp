// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

#include <rondo/http/forwarded.hpp>
#include <rondo/http/h1/parser.hpp>
#include <rondo/http/ip_address.hpp>

namespace rondo::server {

/// Limits and time-outs of a server. Every one is finite by default.
struct options {
    std::chrono::milliseconds header_timeout{10'000};     ///< for a request head, from its first byte (or the accept)
    std::chrono::milliseconds body_timeout{10'000};       ///< without a byte of the body; also the grace of body_rate
    std::uint32_t body_rate = 1024;                       ///< bytes per second a body must bring on average after that
    std::chrono::milliseconds keepalive_timeout{75'000};  ///< an idle connection
    std::chrono::milliseconds request_timeout{60'000};    ///< from the head (and body) to the beginning of the response
    std::chrono::milliseconds write_timeout{30'000};      ///< a client that takes no byte of a response
    std::chrono::milliseconds linger_timeout{2'000};      ///< for a client to stop sending after an error response
    std::uint64_t max_body = 1024 * 1024;                 ///< bytes, unless the route says otherwise
    http::h1::parse_limits head;                          ///< 8 KiB request line, 100 fields, 32 KiB
    http::allow_list forwarded_allow;                     ///< proxies whose Forwarded and X-Forwarded-* are believed
    http::forwarded_fields forwarded_fields = http::forwarded_fields::automatic;
    bool proxy_protocol = false;  ///< each connection begins with a header of the PROXY protocol
    http::allow_list proxy_allow =
        http::allow_list::of({"127.0.0.1", "::1", "unix"});  ///< from whom; others are refused
    std::size_t max_connections = 0;                         ///< 0: as many as there are descriptors
};

}  // namespace rondo::server
