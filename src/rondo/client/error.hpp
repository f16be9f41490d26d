// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace rondo {

/// Why a call of the HTTP client gave no response. A response with an error status is no failure of the call.
enum class client_failure : std::uint8_t {
    url,                ///< not an http or https URL
    resolve,            ///< the host name has no address
    connect,            ///< no address of the host answers, or the proxy refuses
    tls,                ///< the handshake failed: certificate, name, version
    time_out,           ///< one of the time-outs, or the deadline of the awaiting coroutine
    closed,             ///< the server ended the connection before the response was complete
    protocol,           ///< what came is not HTTP/1.1
    body_too_large,     ///< more than max_body, or compressed more than max_ratio
    redirects,          ///< more than max_redirects
    busy,               ///< the queue for connections is full, or a breaker is open
    request_too_large,  ///< the URL and the fields, cookies included, are more than 64 KiB
};

[[nodiscard]] std::string_view to_string(client_failure) noexcept;

/// Thrown by the HTTP client. `what()` names the method, the URL without user information, and the reason. A wait that
/// was cancelled throws `cancelled` instead.
class client_error : public std::runtime_error {
public:
    client_error(client_failure kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
    [[nodiscard]] client_failure kind() const noexcept { return kind_; }

private:
    client_failure kind_;
};

}  // namespace rondo
