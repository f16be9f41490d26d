// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::http {

/// One event of a text/event-stream (HTML standard, section 9.2).
struct server_sent_event {
    std::string data = {};                    ///< may hold several lines, ended by LF, CR or CRLF
    std::string event = {};                   ///< the event's type; empty: "message"
    std::optional<std::string> id = {};       ///< an empty id resets the client's last id
    std::optional<std::uint32_t> retry = {};  ///< milliseconds until the client reconnects
};

/// Adds the event as it goes to the wire. Throws std::invalid_argument when `event` or `id` hold CR or LF, or `id` NUL.
void append(std::string& out, const server_sent_event& event);
[[nodiscard]] std::string to_string(const server_sent_event& event);

/// A comment, which clients ignore: keeps an idle stream alive. Line ends begin a further comment line.
void append_comment(std::string& out, std::string_view text);

}  // namespace rondo::http
