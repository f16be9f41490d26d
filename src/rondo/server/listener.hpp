// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <rondo/base/clock.hpp>
#include <rondo/loop/backend.hpp>
#include <rondo/loop/timer.hpp>
#include <rondo/net/address.hpp>
#include <rondo/server/server.hpp>

namespace rondo::server {

/// A listening socket of a server. Alone it accepts as fast as the kernel gives. Beside other processes a connection
/// wakes one of them; that one takes its share and calls another for the rest. When descriptors run out it rests for a
/// moment instead of spinning.
class server::listener final : acceptor, poll_operation {
public:
    listener(server& owner, net::listening_socket socket);
    ~listener() { stop(); }

    /// Accepts what waits in the queue, then closes the socket.
    void stop() noexcept;
    /// Whether there are others may have changed, and one of them may be held that was woken.
    void look() noexcept;
    /// Another process has enough.
    void called() noexcept;
    /// A connection has ended: what was left to others may be taken.
    void has_room() noexcept {
        if (left_since_ != instant::max()) take_share();
    }

private:
    enum class way : std::uint8_t { resting, alone, sharing };
    struct rest_timer : timer {
        explicit rest_timer(listener& l) noexcept
            : timer([](timer& self) noexcept { static_cast<rest_timer&>(self).owner_.rested(); }), owner_(l) {}
        listener& owner_;
    };

    void start() noexcept;
    void halt() noexcept;
    void rested() noexcept;
    void wait_for_connections() noexcept;
    void take_share() noexcept;
    void take_what_waits() noexcept;
    /// True when the next connection is left to another process, for a moment.
    [[nodiscard]] bool leaves_it() noexcept;
    /// To another process, for as long as nothing of this one is free.
    void leave_it_while_held() noexcept;
    void accept_waiting() noexcept;
    void rest(clock::duration d) noexcept;

    void accepted(int fd) noexcept override;
    void accept_failed(int error) noexcept override;
    void polled(int events) noexcept override;

    server& server_;
    net::listening_socket socket_;
    rest_timer rest_;
    bool polling_ = false;
    instant left_since_ = instant::max();  ///< since when a connection waits that was left to others
    way way_ = way::resting;
    int last_error_ = 0;
    instant tell_again_{};
};

}  // namespace rondo::server
