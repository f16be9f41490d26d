// SPDX-License-Identifier: Apache-2.0
// The interface of a transformation between a stream and the wire, such as TLS.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace rondo::net {

/// Thrown by stream::set_filter() when the stream has unconsumed input. It was received before the filter was in place
/// and is unprotected, so it must not be mistaken for filtered input.
class unread_input_error : public std::runtime_error {
public:
    unread_input_error() : std::runtime_error("unexpected data before the security layer was established") {}
};

/// A transformation between the bytes of a stream and those on the wire, such as TLS. Belongs to one stream
/// (stream::set_filter) and performs no I/O itself.
class stream_filter {
public:
    enum class state : std::uint8_t {
        handshaking,  ///< handshake in progress; nothing can be sent
        open,
        closed,  ///< the peer signalled the end of its output
        failed,  ///< see error_message()
    };

    virtual ~stream_filter() = default;

    /// Processes bytes from the wire (none: starts the handshake). Appends decoded bytes to `plain` and what is to
    /// be sent to `wire`.
    virtual state receive(std::string_view bytes, std::string& plain, std::string& wire) = 0;
    /// Encodes `plain` and appends it to `wire`. Returns false on failure.
    [[nodiscard]] virtual bool send(std::string_view plain, std::string& wire) = 0;
    /// Appends the signal that no more output follows.
    virtual void shutdown(std::string& wire) = 0;

    [[nodiscard]] virtual state current_state() const noexcept = 0;
    /// A message for users; empty unless the state is `failed`.
    [[nodiscard]] virtual const std::string& error_message() const noexcept = 0;
};

}  // namespace rondo::net
