// SPDX-License-Identifier: Apache-2.0
// A message: its validation, its limits and its JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace rondo::codec {
class json_writer;
}

namespace message_board {

inline constexpr std::size_t max_author = 40, max_text = 1000, max_lines = 40;  // characters, characters, lines
inline constexpr std::size_t hues = 8;                                          // colours of authors

struct message {
    std::int64_t id = 0;  ///< increasing, from 1
    std::string author;
    std::string text;
    std::int64_t created_at = 0;  ///< milliseconds since 1970
    std::string origin;           ///< 32 hexadecimal digits; unlike the id, the same on every machine
};

/// A message before it is stored; once validated: valid UTF-8, trimmed, lines ended by LF.
struct draft {
    std::string author;
    std::string text;
};

/// Why a message is invalid.
struct rejection {
    int status = 422;    ///< 400 when it is not text at all
    std::string reason;  ///< shown to the author
};

/// An empty author becomes "Anonymous".
[[nodiscard]] std::expected<draft, rejection> validate(std::string_view author, std::string_view text);

/// "2026-01-31T12:34:56.789Z"
[[nodiscard]] std::string iso_time(std::int64_t milliseconds);

/// The form in which messages are sent between machines. unpack() returns nullopt when the text is malformed.
[[nodiscard]] std::string pack(const message& m);
[[nodiscard]] std::optional<message> unpack(std::string_view packed);

/// {"id", "author", "text", "created_at"}
void write_json(rondo::codec::json_writer& writer, const message& m);
[[nodiscard]] std::string to_json(const message& m);

}  // namespace message_board
