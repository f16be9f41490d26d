// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/connection.hpp>

#include <cerrno>
#include <utility>

#include <sys/socket.h>

#include <rondo/client/pool.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::detail {

client_connection::client_connection(client_pool& pool, client_origin& origin, net::output& out, unique_fd socket)
    : net::stream(out, std::move(socket)),
      timer([](timer& self) noexcept {
          auto& c = static_cast<client_connection&>(self);
          if (c.resting_) c.pool_.retire(c);
      }),
      pool_(pool),
      origin_(origin) {}

void client_connection::rest(clock::duration timeout) noexcept {
    resting_ = true;
    loop().timers().arm(*this, loop().now() + timeout);
}

bool client_connection::is_sound() const noexcept {
    if (!is_open() || failed() || input_ended() || !input().empty()) return false;
    char byte;
    return ::recv(fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void client_connection::left(bool) noexcept {
    if (resting_) pool_.retire(*this);
}

void client_wait::end() {
    if (waiting()) settle();
    if (running_in) loop_.doing().enter(running_in);
    disarm();
    check();
    if (late_) throw timed_out();
}

client_connection::input_wait::input_wait(client_connection& c, instant deadline) noexcept
    : client_wait([](waiter& self) noexcept { static_cast<input_wait&>(self).receive_.forget(); },
                  [](timer& self) noexcept {
                      auto& w = static_cast<input_wait&>(self);
                      w.late_ = true;
                      w.receive_.forget();
                      w.wake();
                  },
                  c.loop(), deadline),
      receive_(c.receive()) {}

client_connection::output_wait::output_wait(client_connection& c, instant deadline) noexcept
    : client_wait([](waiter& self) noexcept { static_cast<output_wait&>(self).drained_.forget(); },
                  [](timer& self) noexcept {
                      auto& w = static_cast<output_wait&>(self);
                      w.late_ = true;
                      w.drained_.forget();
                      w.wake();
                  },
                  c.loop(), deadline),
      drained_(c.drained()) {}

}  // namespace rondo::detail
