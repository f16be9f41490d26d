// SPDX-License-Identifier: Apache-2.0
#pragma once

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
    redis_reader();
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
};

}  // namespace rondo::channels_detail
