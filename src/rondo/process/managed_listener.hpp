// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include <rondo/base/socket_file.hpp>
#include <rondo/base/unique_fd.hpp>

namespace rondo::process {

/// A listening socket that the arbiter keeps for a group of children, all of whom accept from it.
struct kept_socket {
    std::string group;     ///< whose children get it
    std::string key;       ///< what was asked for: under this name the next image of the program finds it
    unique_fd fd;          ///< close-on-exec
    std::string url;       ///< the address it really has
    socket_file file;      ///< of a unix socket: to be removed at the end; empty otherwise
    bool foreign = false;  ///< of who started this process: what waits there may wait for the next one
};

/// No new connection can begin at this listening socket, while what has begun can still be accepted: a filter drops
/// the first packet of every handshake (of TCP), or the path is removed (of a unix socket). Its client tries again a
/// second later and is refused, when the socket is closed by then. For every process that shares the socket, so nothing
/// is done to a foreign one; but a path that this program made is its own to remove.
void turn_away(const kept_socket& socket) noexcept;
/// What the handshakes that were under way get to end in, after that.
inline constexpr std::chrono::milliseconds half_open_time{20};

/// Connections that wait to be accepted; 0 when the kernel does not tell (unix sockets).
[[nodiscard]] std::size_t waiting_at(int listening_fd) noexcept;

/// Another descriptor for the same, close-on-exec. Throws std::system_error.
[[nodiscard]] unique_fd duplicate(int fd);
/// Sets or clears close-on-exec.
void close_on_exec(int fd, bool on) noexcept;

}  // namespace rondo::process
