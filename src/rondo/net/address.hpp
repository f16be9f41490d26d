// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/base/socket_file.hpp>
#include <rondo/base/unique_fd.hpp>

namespace rondo::net {

/// Where to listen. One of
///     127.0.0.1:8000   [::1]:8000   localhost:8000   *:8000 (every IPv4 and IPv6 address)   :8000 (the same)
///     unix:/run/app.sock
///     fd://3 (a listening socket that was inherited)
struct bind_address {
    enum class kind : std::uint8_t { tcp, unix_path, inherited };
    kind what = kind::tcp;
    std::string host;        ///< tcp; empty for every address
    std::uint16_t port = 0;  ///< tcp; 0: a free one
    std::string path;        ///< unix
    int fd = -1;             ///< inherited

    /// Throws std::invalid_argument with a sentence that shows the forms allowed.
    [[nodiscard]] static bind_address parse(std::string_view text);
};

struct listen_options {
    int backlog = 4096;       ///< connections that may wait to be accepted; the kernel's somaxconn bounds it
    bool reuse_port = false;  ///< several sockets on one address
    unsigned mode = 0666;     ///< permissions of a unix socket
    /// For an address in use: the workers of a server that was killed listen until the kernel has ended them, some
    /// milliseconds longer than it. Waited on the calling thread.
    std::chrono::milliseconds patience{1'000};
};

/// A listening socket with the address it really has.
struct listening_socket {
    unique_fd fd;
    std::string url;       ///< "http://127.0.0.1:8000", "unix:/run/app.sock"
    socket_file file;      ///< of a unix socket: to be removed at the end; empty otherwise
    bool foreign = false;  ///< inherited from who started the process, and not to be ended with it
};

/// Listens on every address the name stands for. Throws std::runtime_error with a sentence: address in use, not
/// permitted, unknown name, not a listening socket.
[[nodiscard]] std::vector<listening_socket> listen(const bind_address& at, const listen_options& options = {});

/// Whether listen() would find the address free; without listening. Throws as listen() does for every other hindrance.
/// An inherited socket counts as free.
[[nodiscard]] bool is_free(const bind_address& at);

/// The numeric address and port of the other end of a connected socket; "unix" and 0 for a unix socket, "" when it is
/// gone.
struct peer {
    std::string address;
    std::uint16_t port = 0;
};
[[nodiscard]] peer peer_of(int socket) noexcept;

}  // namespace rondo::net
