// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace rondo {

namespace channels_detail {

/// Of a name and of the bytes of one message. What is larger ends a connection between workers.
inline constexpr std::uint32_t largest_channel_name = 1u << 20;
inline constexpr std::uint64_t largest_message = 1u << 30;

/// What was published, once per process, however many receive it.
struct message_body {
    std::string channel;
    std::string bytes;
};

}  // namespace channels_detail

/// What a subscriber receives. A copy shares the bytes.
class channel_message {
public:
    channel_message(std::shared_ptr<const channels_detail::message_body> body, std::uint64_t missed, bool gap) noexcept
        : body_(std::move(body)), missed_(missed), gap_(gap) {}

    /// The name it was published to; for a pattern this is how to know. Empty for a report of a gap.
    [[nodiscard]] std::string_view channel() const noexcept {
        return body_ ? std::string_view(body_->channel) : std::string_view();
    }
    [[nodiscard]] std::string_view bytes() const noexcept {
        return body_ ? std::string_view(body_->bytes) : std::string_view();
    }

    /// Messages directly before this one that this subscriber was too slow for.
    [[nodiscard]] std::uint64_t missed() const noexcept { return missed_; }
    /// Before this one messages may have been lost on their way, nobody knows how many: Redis was away, or this process
    /// did not read for a while. Whoever keeps a state looks at its source again.
    [[nodiscard]] bool gap() const noexcept { return gap_; }

private:
    std::shared_ptr<const channels_detail::message_body> body_;
    std::uint64_t missed_;
    bool gap_;
};

}  // namespace rondo
