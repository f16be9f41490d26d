// SPDX-License-Identifier: Apache-2.0
// Listening sockets that the arbiter owns and passes on to its children and to the next image.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include <rondo/base/socket_file.hpp>
#include <rondo/base/unique_fd.hpp>

namespace rondo::process {

/// A listening socket that the arbiter owns. All children of its group accept from it.
struct managed_listener {
    std::string group;              ///< its children accept from this socket
    std::string key;                ///< the configured address, by which the next image finds it
    unique_fd fd;                   ///< close-on-exec
    std::string url;                ///< the bound address
    socket_file file;               ///< of a unix socket, removed on shutdown; otherwise empty
    bool externally_owned = false;  ///< passed in by the service manager; its backlog survives this process
};

/// Refuses new connections while established ones can still be accepted: a socket filter drops SYN packets (TCP), or
/// the path is removed (unix socket). A TCP client retries after a second and is refused if the socket is closed by
/// then. Affects every process that shares the socket, so an externally owned one is not filtered; a path created by
/// this program is removed in any case.
void refuse_new(const managed_listener& socket) noexcept;
/// Time for handshakes in progress to complete after that.
inline constexpr std::chrono::milliseconds half_open_time{20};

/// Number of connections waiting to be accepted; 0 for unix sockets, where the kernel does not report it.
[[nodiscard]] std::size_t backlog_length(int listening_fd) noexcept;

/// Duplicates the descriptor, close-on-exec. Throws std::system_error.
[[nodiscard]] unique_fd duplicate(int fd);
/// Sets or clears close-on-exec.
void set_close_on_exec(int fd, bool on) noexcept;

}  // namespace rondo::process
