// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include <rondo/base/clock.hpp>
#include <rondo/http/status.hpp>

namespace rondo {

class request;

/// The fields of a response as the application stated them.
struct response_fields {
    std::string_view content_type;
    std::string_view lines;  ///< `Name: value CRLF` each
};

/// One answered request. The views hold during the call only.
struct access_entry {
    request* req;                             ///< method, target, fields, peer address, id, route
    http::status code;                        ///< 0 when nothing could be sent (the client was gone before)
    std::uint64_t body_bytes;                 ///< of the response, as the application wrote them
    clock::duration duration;                 ///< from the complete head to the end of the response
    bool aborted;                             ///< the response did not come to its end
    const response_fields* fields = nullptr;  ///< only when the sink wants them, and there was a response
};

/// Takes every request when its response has ended, also errors and streams. Called on loop threads, several at once
/// when there are several loops: must not block and not throw.
class access_log_sink {
public:
    virtual void write(const access_entry& entry) noexcept = 0;
    /// Asked for each request: whether write() is to be told the fields of the response, which costs a copy of them.
    [[nodiscard]] virtual bool wants_response_fields() const noexcept { return false; }

protected:
    ~access_log_sink() = default;
};

}  // namespace rondo
