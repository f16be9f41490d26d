// SPDX-License-Identifier: Apache-2.0
// A message of a channel as subscribers receive it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace rondo {

namespace channels_detail {

/// Limits of a name and of the bytes of one message. Anything larger closes a connection between workers.
inline constexpr std::uint32_t max_channel_name = 1u << 20;
inline constexpr std::uint64_t max_message = 1u << 30;

/// A published message; one copy per process, shared by all its subscribers.
struct message_body {
    std::string channel;
    std::string bytes;
};

}  // namespace channels_detail

/// A received message. Copies share the bytes.
class channel_message {
public:
    channel_message(std::shared_ptr<const channels_detail::message_body> body, std::uint64_t missed, bool gap) noexcept
        : body_(std::move(body)), missed_(missed), gap_(gap) {}

    /// The name it was published to, also for a pattern. Empty for a report of a gap.
    [[nodiscard]] std::string_view channel() const noexcept {
        return body_ ? std::string_view(body_->channel) : std::string_view();
    }
    [[nodiscard]] std::string_view bytes() const noexcept {
        return body_ ? std::string_view(body_->bytes) : std::string_view();
    }

    /// Messages directly before this one that were dropped because this subscriber was too slow.
    [[nodiscard]] std::uint64_t missed() const noexcept { return missed_; }
    /// An unknown number of messages may have been lost before this one: Redis was unavailable, or this process did not
    /// read for a while. Subscribers that keep state should reload it.
    [[nodiscard]] bool gap() const noexcept { return gap_; }

private:
    std::shared_ptr<const channels_detail::message_body> body_;
    std::uint64_t missed_;
    bool gap_;
};

}  // namespace rondo
