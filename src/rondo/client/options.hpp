// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include <rondo/http/h1/parser.hpp>

namespace rondo {

/// How long the steps of a call may take. What is left of the awaiting coroutine's deadline bounds them all.
struct client_timeouts {
    std::chrono::milliseconds wait{30'000};     ///< for a connection, when the pool is used up
    std::chrono::milliseconds connect{10'000};  ///< resolving, connecting, and the TLS handshake together
    std::chrono::milliseconds read{30'000};     ///< without a byte of the response, or without one of the request taken
    std::chrono::milliseconds total{60'000};    ///< the whole call with its redirects; of open(): up to the head
};

/// TLS of a client: 1.2 or newer, the name of the server always checked.
struct client_tls {
    bool verify = true;   ///< false: anybody may pretend to be the server; for tests
    std::string ca_file;  ///< authorities to trust (PEM) instead of the system's
};

/// Settings of a client. Every limit is finite by default. Limits of connections hold for each loop.
struct client_options {
    std::size_t connections_per_origin = 100;        ///< open at once
    std::size_t connections = 1000;                  ///< open at once, all origins together
    std::size_t waiting = 10'000;                    ///< calls that may wait for a connection
    std::chrono::milliseconds idle_timeout{30'000};  ///< a connection is kept so long without a request
    client_timeouts timeouts{};
    client_tls tls{};
    std::uint64_t max_body = 16 * 1024 * 1024;  ///< bytes of a response, decoded
    unsigned max_redirects = 10;                ///< 0: a redirect is given as it is
    http::h1::parse_limits head{};              ///< of a response: 8 KiB status line, 100 fields, 32 KiB
    std::string user_agent = "rondo";           ///< empty: no User-Agent
};

}  // namespace rondo
