// SPDX-License-Identifier: Apache-2.0
// A listening socket of a server: accepts alone, or shared with other processes.
#pragma once

#include <cstdint>

#include <rondo/base/clock.hpp>
#include <rondo/loop/backend.hpp>
#include <rondo/loop/timer.hpp>
#include <rondo/net/listen.hpp>
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
    /// See server::abandon_after_fork().
    void abandon() noexcept;
    /// Called periodically: switches mode when other processes have started or stopped, and accepts pending connections
    /// in case the process woken for them is stalled.
    void on_sample() noexcept;
    /// Called when another process yields a connection.
    void on_wakeup() noexcept;
    /// Called when a connection has closed: one that was yielded to other processes may be accepted.
    void on_connection_closed() noexcept {
        if (yielding_since_ != instant::max()) accept_share();
    }

private:
    enum class mode : std::uint8_t { paused, alone, shared };
    struct pause_timer : timer {
        explicit pause_timer(listener& l) noexcept
            : timer([](timer& self) noexcept { static_cast<pause_timer&>(self).owner_.on_pause_end(); }), owner_(l) {}
        listener& owner_;
    };

    void start() noexcept;
    void halt() noexcept;
    void on_pause_end() noexcept;
    void wait_for_connections() noexcept;
    void accept_share() noexcept;
    void accept_pending() noexcept;
    /// True when the next connection is yielded to another process, for a moment.
    [[nodiscard]] bool yields() noexcept;
    /// Leaves pending connections to other processes while all view threads of this one are stalled.
    void skip_while_stalled() noexcept;
    void accept_all() noexcept;
    void pause_for(clock::duration d) noexcept;

    void accepted(int fd) noexcept override;
    void accept_failed(int error) noexcept override;
    void polled(int events) noexcept override;

    server& server_;
    net::listening_socket socket_;
    pause_timer pause_timer_;
    bool polling_ = false;
    instant yielding_since_ = instant::max();  ///< when the pending connection was first yielded; max: none
    mode mode_ = mode::paused;
    int last_error_ = 0;
    instant next_log_{};
};

}  // namespace rondo::server
