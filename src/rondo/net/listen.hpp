// SPDX-License-Identifier: Apache-2.0
// Listen addresses, and sockets that listen on them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/base/socket_file.hpp>
#include <rondo/base/unique_fd.hpp>

namespace rondo::net {

/// A listen address. One of
///     127.0.0.1:8000   [::1]:8000   localhost:8000   *:8000 (every IPv4 and IPv6 address)   :8000 (the same)
///     unix:/run/app.sock
///     fd://3 (an inherited listening socket)
struct bind_address {
    enum class kind : std::uint8_t { tcp, unix_path, inherited };
    kind type = kind::tcp;
    std::string host;        ///< tcp; empty: every address
    std::uint16_t port = 0;  ///< tcp; 0: any free port
    std::string path;        ///< unix
    int fd = -1;             ///< inherited

    /// Throws std::invalid_argument with a message that lists the allowed forms.
    [[nodiscard]] static bind_address parse(std::string_view text);
    /// The form that parse() takes.
    [[nodiscard]] std::string text() const;
};

struct listen_options {
    int backlog = 4096;       ///< pending connections; capped by the kernel's somaxconn
    bool reuse_port = false;  ///< SO_REUSEPORT: several sockets on one address
    unsigned mode = 0666;     ///< permissions of a unix socket
    /// How long to retry while the address is in use: the workers of a killed server keep listening for some
    /// milliseconds after it, until the kernel has killed them. Blocks the calling thread.
    std::chrono::milliseconds retry_timeout{1'000};
};

/// A listening socket with its actual address.
struct listening_socket {
    unique_fd fd;
    std::string url;                ///< "http://127.0.0.1:8000", "unix:/run/app.sock"
    socket_file file;               ///< the file of a unix socket, to be removed on shutdown; else empty
    bool externally_owned = false;  ///< inherited from the parent; not to be shut down with this process
};

/// Listens on every address the host resolves to. Throws std::runtime_error with a user-facing message: address in use,
/// permission denied, unknown host, not a listening socket.
[[nodiscard]] std::vector<listening_socket> listen(const bind_address& address, const listen_options& options = {});

/// Returns whether the address is free, without listening on it. Throws like listen() for every other error. An
/// inherited socket counts as free.
[[nodiscard]] bool is_free(const bind_address& address);

/// The numeric address and port of the peer of a connected socket; "unix" and 0 for a unix socket, "" when the socket
/// is no longer connected.
struct peer {
    std::string address;
    std::uint16_t port = 0;
};
[[nodiscard]] peer peer_of(int socket) noexcept;

/// The own address of a socket: numeric address and port, or the path of a unix socket ("@name" for an abstract one, ""
/// for one without a name) and 0. All empty when the socket is closed.
struct local_end {
    std::string address;
    std::uint16_t port = 0;
    bool is_unix = false;
};
[[nodiscard]] local_end local_end_of(int socket);

}  // namespace rondo::net
