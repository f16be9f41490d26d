// SPDX-License-Identifier: Apache-2.0
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
    std::int64_t id = 0;  ///< from 1, rising
    std::string author;
    std::string text;
    std::int64_t created_at = 0;  ///< milliseconds since 1970
    std::string origin;           ///< the same on every machine, where the id is not: 32 hexadecimal digits
};

/// What somebody wants to say, in the form it is kept: valid UTF-8, trimmed, lines ended by LF.
struct draft {
    std::string author;
    std::string text;
};

/// Why it cannot be said.
struct refusal {
    int status = 422;      ///< 400 when it is no text at all
    std::string sentence;  ///< for the person who wrote it
};

/// An empty author becomes "Somebody".
[[nodiscard]] std::expected<draft, refusal> check(std::string_view author, std::string_view text);

/// "2026-01-31T12:34:56.789Z"
[[nodiscard]] std::string iso_time(std::int64_t milliseconds);

/// A message on its way between machines, and back; nothing when it is none.
[[nodiscard]] std::string pack(const message& m);
[[nodiscard]] std::optional<message> unpack(std::string_view packed);

/// {"id", "author", "text", "created_at"}
void write_json(rondo::codec::json_writer& to, const message& m);
[[nodiscard]] std::string to_json(const message& m);

}  // namespace message_board
