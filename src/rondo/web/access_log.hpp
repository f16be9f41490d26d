// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <rondo/base/clock.hpp>
#include <rondo/http/status.hpp>

namespace rondo {

class request;

/// One answered request. The views hold during the call only.
struct access_entry {
    request* req;              ///< method, target, fields, peer address, id, route
    http::status code;         ///< 0 when nothing could be sent (the client was gone before)
    std::uint64_t body_bytes;  ///< of the response, as the application wrote them
    clock::duration duration;  ///< from the complete head to the end of the response
    bool aborted;              ///< the response did not come to its end
};

/// Takes every request when its response has ended, also errors and streams. Called on loop threads, several at once
/// when there are several loops: must not block and not throw.
class access_log_sink {
public:
    virtual void write(const access_entry& entry) noexcept = 0;

protected:
    ~access_log_sink() = default;
};

/// Adds one line, '\n' at its end, in the combined format of Apache and nginx. `unix_time`: seconds since 1970; the
/// line has it in UTC. Quotes, backslashes and control bytes of what the client sent are escaped: one entry is one
/// line.
void append_combined(std::string& out, const access_entry& entry, std::int64_t unix_time);
/// The same as one JSON object: time, id, peer, method, target, host, route, status, bytes, ms, referer, agent,
/// aborted.
void append_json_line(std::string& out, const access_entry& entry, std::int64_t unix_time);

}  // namespace rondo
