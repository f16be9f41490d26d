// SPDX-License-Identifier: Apache-2.0
// The errors of the HTTP client.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace rondo {

/// Why a call of the HTTP client failed. A response with an error status is not a failure.
enum class client_failure : std::uint8_t {
    url,                 ///< not an http or https URL
    resolve,             ///< the host name does not resolve
    connect,             ///< no address of the host accepts, or the proxy refuses
    tls,                 ///< the handshake failed: certificate, name, version
    timeout,             ///< a timeout, or the deadline of the awaiting coroutine
    closed,              ///< the server closed the connection before the response was complete
    protocol,            ///< the response is not valid HTTP/1.1
    body_too_large,      ///< larger than max_body, or compressed more than max_ratio
    too_many_redirects,  ///< more than max_redirects
    busy,                ///< the queue for connections is full, or a circuit breaker is open
    request_too_large,   ///< URL and fields, including cookies, exceed 64 KiB
};

[[nodiscard]] std::string_view to_string(client_failure) noexcept;

/// Thrown by the HTTP client. `what()` names the method, the URL without user information, and the reason. A cancelled
/// wait throws `cancelled` instead.
class client_error : public std::runtime_error {
public:
    client_error(client_failure kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
    [[nodiscard]] client_failure kind() const noexcept { return kind_; }

private:
    client_failure kind_;
};

}  // namespace rondo
