// SPDX-License-Identifier: Apache-2.0
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

/// A reply of Redis (RESP 2).
struct redis_value {
    enum class kind : std::uint8_t { nil, text, integer, array, error };
    kind what = kind::nil;
    std::string text;  ///< of a string, a status, an error
    std::int64_t number = 0;
    std::vector<redis_value> items;
};

/// Appends a command as Redis reads it.
void append_command(std::string& to, std::span<const std::string_view> words);

/// Makes replies of bytes, by the parser of hiredis.
class redis_reader {
public:
    /// At most so many bytes of what is not whole yet are kept: more than Redis lets one value have
    /// (proto-max-bulk-len).
    static constexpr std::size_t most_unread_bytes = 1u << 30;

    explicit redis_reader(std::size_t most_unread = most_unread_bytes);
    ~redis_reader();
    redis_reader(const redis_reader&) = delete;
    redis_reader& operator=(const redis_reader&) = delete;

    /// Throws std::runtime_error when the bytes are no replies of Redis.
    void feed(std::string_view bytes);
    /// The next whole reply; throws as feed().
    [[nodiscard]] std::optional<redis_value> next();

private:
    struct state;
    std::unique_ptr<state> state_;
    const std::size_t most_unread_;
};

}  // namespace rondo::channels_detail
