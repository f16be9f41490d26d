// SPDX-License-Identifier: Apache-2.0
// The interface through which an application reports every response to an access log.
#pragma once

#include <cstdint>
#include <string_view>

#include <rondo/base/clock.hpp>
#include <rondo/http/status.hpp>

namespace rondo {

class request;

/// The header fields of a response as the application set them.
struct response_fields {
    std::string_view content_type;
    std::string_view lines;  ///< `Name: value CRLF` each
};

/// One request and its response. The pointers are valid during the call only.
struct access_entry {
    request* req;                             ///< method, target, fields, peer address, id, route
    http::status code;                        ///< 0 when nothing was sent because the client had disconnected
    std::uint64_t body_bytes;                 ///< of the response, as the application wrote them
    clock::duration duration;                 ///< from the complete request head to the end of the response
    bool aborted;                             ///< the response is incomplete
    const response_fields* fields = nullptr;  ///< null unless the sink needs them and there was a response
};

/// Receives every request when its response has ended, errors and streams included. Called on loop threads,
/// concurrently if there are several loops; must neither block nor throw.
class access_log_sink {
public:
    virtual void write(const access_entry& entry) noexcept = 0;
    /// Returns whether write() needs the fields of the response, at the cost of a copy. Called for each request.
    [[nodiscard]] virtual bool needs_response_fields() const noexcept { return false; }

protected:
    ~access_log_sink() = default;
};

}  // namespace rondo
