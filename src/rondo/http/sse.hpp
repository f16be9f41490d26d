// SPDX-License-Identifier: Apache-2.0
// Formats server-sent events.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::http {

/// One event of a text/event-stream (HTML Standard, section 9.2).
struct server_sent_event {
    std::string data = {};                    ///< may have several lines, separated by LF, CR or CRLF
    std::string event = {};                   ///< the event type; empty: "message"
    std::optional<std::string> id = {};       ///< an empty id resets the client's last event ID
    std::optional<std::uint32_t> retry = {};  ///< milliseconds until the client reconnects
};

/// Appends the event in wire format. Throws std::invalid_argument when `event` or `id` contains CR or LF, or `id` NUL.
void append(std::string& out, const server_sent_event& event);
[[nodiscard]] std::string to_string(const server_sent_event& event);

/// Appends a comment, which clients ignore, to keep an idle stream alive. Each line becomes a comment line.
void append_comment(std::string& out, std::string_view text);

}  // namespace rondo::http
