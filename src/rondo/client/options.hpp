// SPDX-License-Identifier: Apache-2.0
// The options of the HTTP client: timeouts, TLS, proxies and limits.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <rondo/http/h1/request_parser.hpp>

namespace rondo {

class client_middleware;
class cookie_jar;

/// How long the steps of a call may take. The deadline of the awaiting coroutine bounds all of them.
struct client_timeouts {
    std::chrono::milliseconds pool{30'000};     ///< for a connection from an exhausted pool
    std::chrono::milliseconds connect{10'000};  ///< name resolution, connecting and TLS handshake together
    std::chrono::milliseconds read{30'000};     ///< without progress reading the response or sending the request
    std::chrono::milliseconds total{60'000};    ///< the whole call including redirects; open(): until the head
};

/// TLS options of a client. Uses TLS 1.2 or newer and, with `verify`, checks certificate and server name.
struct client_tls {
    bool verify = true;     ///< false: accept any certificate; for tests only
    std::string ca_file{};  ///< trusted CA certificates (PEM) instead of the system's
};

/// Proxies by the scheme of the request URL: "http://user:password@proxy:3128"; empty: none. The proxy forwards http
/// requests; https requests use a tunnel through it (CONNECT).
struct client_proxies {
    std::string http{};
    std::string https{};
    /// Hosts reached without a proxy: "localhost", "example.org" (including subdomains, like ".example.org" and
    /// "*.example.org"), "10.0.0.1", "[::1]", one of these with ":port", a network ("10.0.0.0/8", "fd00::/8"), "*".
    /// Case and a trailing dot are ignored.
    std::vector<std::string> no_proxy{};
    /// False: the client's constructor throws std::invalid_argument for an invalid proxy. True: calls that need it
    /// throw client_error (connect); set by from_environment(), so that a bad variable does not stop the program.
    bool validate_on_use = false;

    /// Reads http_proxy, https_proxy, all_proxy and no_proxy (entries separated by commas or spaces), also in upper
    /// case except HTTP_PROXY, which a client of a CGI program can set. `lookup` returns the value of a variable or
    /// null. The library does not read the environment by itself; `client_proxies::from_environment(std::getenv)` does.
    [[nodiscard]] static client_proxies from_environment(const std::function<const char*(const char* name)>& lookup);
};

/// Options of a client. Every limit is finite by default. Connection limits apply to each loop.
struct client_options {
    std::size_t max_connections_per_origin = 100;    ///< open at once
    std::size_t max_connections = 1000;              ///< open at once, to all origins
    std::size_t max_waiting = 10'000;                ///< calls waiting for a connection
    std::chrono::milliseconds idle_timeout{30'000};  ///< close a connection without a request after this
    client_timeouts timeouts{};
    client_tls tls{};
    client_proxies proxies{};
    std::uint64_t max_body = 16 * 1024 * 1024;  ///< bytes of a response body, decoded
    bool decode = true;                         ///< accept and decode gzip, br and zstd
    unsigned max_ratio = 200;                   ///< largest expansion of an encoded body beyond the first 1 MiB
    unsigned max_redirects = 10;                ///< 0: redirects are returned
    http::h1::parse_limits head{};              ///< of a response: 8 KiB status line, 100 fields, 32 KiB
    std::string user_agent = "rondo";           ///< empty: no User-Agent
    std::shared_ptr<cookie_jar> cookies{};      ///< null: cookies are ignored
    /// Factories of the middleware of each loop, the first outermost; see middleware.hpp.
    std::vector<std::function<std::unique_ptr<client_middleware>()>> middleware{};
};

}  // namespace rondo
