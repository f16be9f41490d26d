// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <rondo/http/h1/parser.hpp>

namespace rondo {

class client_middleware;
class cookie_jar;

/// How long the steps of a call may take. What is left of the awaiting coroutine's deadline bounds them all.
struct client_timeouts {
    std::chrono::milliseconds wait{30'000};     ///< for a connection, when the pool is used up
    std::chrono::milliseconds connect{10'000};  ///< resolving, connecting, and the TLS handshake together
    std::chrono::milliseconds read{30'000};     ///< without a byte of the response, or without one of the request taken
    std::chrono::milliseconds total{60'000};    ///< the whole call with its redirects; of open(): up to the head
};

/// TLS of a client: 1.2 or newer, the name of the server always checked.
struct client_tls {
    bool verify = true;     ///< false: anybody may pretend to be the server; for tests
    std::string ca_file{};  ///< authorities to trust (PEM) instead of the system's
};

/// Proxies that requests go through, by the scheme of their URL: "http://user:password@proxy:3128"; empty: none. Plain
/// requests are handed to the proxy, for https it opens a tunnel (CONNECT).
struct client_proxies {
    std::string http{};
    std::string https{};
    /// Hosts that are reached without: "localhost", "example.org" (and all below it, as ".example.org" and
    /// "*.example.org"), "10.0.0.1", "[::1]", one of these with ":port", a network ("10.0.0.0/8", "fd00::/8"), "*".
    /// Case and a dot at the end make no difference.
    std::vector<std::string> except{};
    /// False: a proxy that cannot be used is refused when the client is made (std::invalid_argument). True: by the
    /// calls that need it, with client_error (connect); so from() has it: the environment does not end a program.
    bool check_when_used = false;

    /// What the usual variables say: http_proxy, https_proxy, all_proxy, no_proxy (its entries separated by commas or
    /// spaces), also in upper case, except HTTP_PROXY, which a client of a CGI program can set. `lookup` gives the
    /// value of a variable or null: the library does not look at the environment by itself;
    /// `client_proxies::from(std::getenv)` does.
    [[nodiscard]] static client_proxies from(const std::function<const char*(const char* name)>& lookup);
};

/// Settings of a client. Every limit is finite by default. Limits of connections hold for each loop.
struct client_options {
    std::size_t connections_per_origin = 100;        ///< open at once
    std::size_t connections = 1000;                  ///< open at once, all origins together
    std::size_t waiting = 10'000;                    ///< calls that may wait for a connection
    std::chrono::milliseconds idle_timeout{30'000};  ///< a connection is kept so long without a request
    client_timeouts timeouts{};
    client_tls tls{};
    client_proxies proxies{};
    std::uint64_t max_body = 16 * 1024 * 1024;  ///< bytes of a response, decoded
    bool decode = true;                         ///< ask for gzip, br and zstd, and undo it
    unsigned max_ratio = 200;               ///< a coded body may become so many times larger, beyond the first 1 MiB
    unsigned max_redirects = 10;            ///< 0: a redirect is given as it is
    http::h1::parse_limits head{};          ///< of a response: 8 KiB status line, 100 fields, 32 KiB
    std::string user_agent = "rondo";       ///< empty: no User-Agent
    std::shared_ptr<cookie_jar> cookies{};  ///< kept and sent when there is one
    /// Makes what stands around every call, the first outermost; see middleware.hpp.
    std::vector<std::function<std::unique_ptr<client_middleware>()>> middleware{};
};

}  // namespace rondo
