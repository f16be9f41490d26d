// SPDX-License-Identifier: Apache-2.0
// The Redis protocol (RESP 2): writes commands and parses replies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rondo::channels_detail {

/// A reply from Redis (RESP 2).
struct redis_value {
    enum class kind : std::uint8_t { nil, text, integer, array, error };
    kind type = kind::nil;
    std::string text;  ///< of a string, status or error
    std::int64_t number = 0;
    std::vector<redis_value> items;
};

/// Appends a command in wire format.
void append_command(std::string& to, std::span<const std::string_view> words);

/// Parses replies, with the parser of hiredis.
class redis_reader {
public:
    /// Limit of buffered bytes of an incomplete reply: more than Redis allows for one value (proto-max-bulk-len).
    static constexpr std::size_t max_unread_bytes = 1u << 30;

    explicit redis_reader(std::size_t max_unread = max_unread_bytes);
    ~redis_reader();
    redis_reader(const redis_reader&) = delete;
    redis_reader& operator=(const redis_reader&) = delete;

    /// Throws std::runtime_error when the bytes are not valid RESP.
    void feed(std::string_view bytes);
    /// The next complete reply; throws like feed().
    [[nodiscard]] std::optional<redis_value> next();

private:
    struct state;
    std::unique_ptr<state> state_;
    const std::size_t max_unread_;
};

}  // namespace rondo::channels_detail
