// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/connection.hpp>

#include <cerrno>
#include <utility>

#include <sys/socket.h>

#include <rondo/client/pool.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::detail {

client_connection::client_connection(client_pool& pool, client_origin& origin, net::output_buffer& out,
                                     unique_fd socket)
    : net::stream(out, std::move(socket)),
      timer([](timer& self) noexcept {
          auto& c = static_cast<client_connection&>(self);
          if (c.idle_) c.pool_.retire(c);
      }),
      pool_(pool),
      origin_(origin) {}

void client_connection::mark_idle(clock::duration timeout) noexcept {
    idle_ = true;
    loop().timers().arm(*this, loop().now() + timeout);
}

bool client_connection::is_reusable() const noexcept {
    if (!is_open() || failed() || input_ended() || !input().empty()) return false;
    char byte;
    return ::recv(fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void client_connection::on_peer_closed(bool) noexcept {
    if (idle_) pool_.retire(*this);
}

void client_stream_wait::finish_wait() {
    if (is_waiting()) stop_waiting();
    if (context) loop_.activity().enter(context);
    disarm();
    check();
    if (timed_out_) throw timed_out();
}

client_connection::input_wait::input_wait(client_connection& c, instant deadline) noexcept
    : client_stream_wait([](waiter& self) noexcept { static_cast<input_wait&>(self).receive_.cancel(); },
                         [](timer& self) noexcept {
                             auto& w = static_cast<input_wait&>(self);
                             w.timed_out_ = true;
                             w.receive_.cancel();
                             w.wake();
                         },
                         c.loop(), deadline),
      receive_(c.receive()) {}

client_connection::output_wait::output_wait(client_connection& c, instant deadline) noexcept
    : client_stream_wait([](waiter& self) noexcept { static_cast<output_wait&>(self).drained_.cancel(); },
                         [](timer& self) noexcept {
                             auto& w = static_cast<output_wait&>(self);
                             w.timed_out_ = true;
                             w.drained_.cancel();
                             w.wake();
                         },
                         c.loop(), deadline),
      drained_(c.drained()) {}

}  // namespace rondo::detail
