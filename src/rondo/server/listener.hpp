// SPDX-License-Identifier: Apache-2.0
// A listening socket of a server: accepts alone, or shared with other processes.
#pragma once

#include <cstdint>

#include <rondo/base/clock.hpp>
#include <rondo/loop/backend.hpp>
#include <rondo/loop/timer.hpp>
#include <rondo/net/address.hpp>
#include <rondo/server/server.hpp>

namespace rondo::server {

/// A listening socket of a server. If the process serves alone, it accepts as fast as the kernel delivers. If it shares
/// the socket, a connection wakes one of the processes, which accepts its share and wakes another for the rest. When
/// descriptors run out it pauses instead of spinning.
class server::listener final : acceptor, poll_operation {
public:
    listener(server& owner, net::listening_socket socket);
    ~listener() { stop(); }

    /// Accepts all pending connections, then closes the socket.
    void stop() noexcept;
    /// Called periodically: switches mode when other processes have started or stopped, and accepts pending connections
    /// in case the process woken for them is stalled.
    void look() noexcept;
    /// Called when another process yields a connection.
    void called() noexcept;
    /// Called when a connection has closed: one that was yielded to other processes may be accepted.
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
    /// True when the next connection is yielded to another process, for a moment.
    [[nodiscard]] bool leaves_it() noexcept;
    /// Leaves pending connections to other processes while all view threads of this one are stalled.
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
    instant left_since_ = instant::max();  ///< when the pending connection was first yielded; max: none
    way way_ = way::resting;
    int last_error_ = 0;
    instant tell_again_{};
};

}  // namespace rondo::server
