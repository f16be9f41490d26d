// SPDX-License-Identifier: Apache-2.0
// Limits and time-outs of the HTTP server.
#pragma once

#include <chrono>
#include <cstdint>

#include <rondo/http/forwarded.hpp>
#include <rondo/http/h1/request_parser.hpp>
#include <rondo/http/ip_address.hpp>

namespace rondo::server {

/// Limits and time-outs of a server. Every one is finite by default.
struct options {
    std::chrono::milliseconds header_timeout{10'000};     ///< for a request head, from its first byte or the accept
    std::chrono::milliseconds body_timeout{10'000};       ///< without progress of a body; also the grace of body_rate
    std::uint32_t body_rate = 1024;                       ///< minimum average of a body after that, bytes per second
    std::chrono::milliseconds keepalive_timeout{75'000};  ///< of an idle connection
    std::chrono::milliseconds request_timeout{60'000};    ///< from the head (and body) to the start of the response;
                                                          ///< 0: none, for applications with time-outs of their own
    std::chrono::milliseconds write_timeout{30'000};      ///< without progress while a response is sent
    std::chrono::milliseconds linger_timeout{2'000};      ///< for a client to stop sending after an error response
    std::uint64_t max_body = 1024 * 1024;                 ///< bytes; routes may override it
    http::h1::parse_limits head_limits;                   ///< 8 KiB request line, 100 fields, 32 KiB
    http::allow_list forwarded_allow;                     ///< proxies whose Forwarded and X-Forwarded-* are trusted
    http::forwarded_fields forwarded_fields = http::forwarded_fields::automatic;
    bool proxy_protocol = false;  ///< each connection starts with a PROXY protocol header
    http::allow_list proxy_allow =
        http::allow_list::parse({"127.0.0.1", "::1", "unix"});  ///< peers allowed to send it; others are refused
    std::size_t max_connections = 0;                            ///< 0: limited by descriptors only
};

}  // namespace rondo::server
