// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace rondo::net {

/// Thrown by stream::filter_with() when the stream holds input that nobody consumed: it came before the filter and was
/// not protected by it, so it must not be taken for what comes through the filter.
class unread_input : public std::runtime_error {
public:
    unread_input() : std::runtime_error("data was received before the security layer was established") {}
};

/// What stands between the bytes of a stream and those on the wire: TLS. It belongs to one stream (stream::filter_with)
/// and does no input or output itself.
class stream_filter {
public:
    enum class state : std::uint8_t {
        opening,  ///< the handshake goes on; nothing can be sent
        open,
        ended,   ///< the other side said that no more comes
        failed,  ///< failure() says why
    };

    virtual ~stream_filter() = default;

    /// Takes bytes of the wire (none: to begin): appends what they say to `plain` and what is to be sent to `wire`.
    virtual state receive(std::string_view bytes, std::string& plain, std::string& wire) = 0;
    /// Appends to `wire` what says `plain`. False when it failed.
    [[nodiscard]] virtual bool send(std::string_view plain, std::string& wire) = 0;
    /// Appends what says that no more comes.
    virtual void end(std::string& wire) = 0;

    [[nodiscard]] virtual state now() const noexcept = 0;
    /// A sentence; empty as long as nothing failed.
    [[nodiscard]] virtual const std::string& failure() const noexcept = 0;
};

}  // namespace rondo::net
