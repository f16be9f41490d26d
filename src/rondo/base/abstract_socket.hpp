// SPDX-License-Identifier: Apache-2.0
// Abstract unix socket addresses (unix(7)) and the credentials of the process at the other end.
#pragma once

#include <optional>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>

namespace rondo {

/// An abstract address: a name in the kernel, without a file, free again when its last socket is closed.
class abstract_address {
public:
    /// Throws std::invalid_argument when the name has more than 107 bytes.
    explicit abstract_address(std::string_view name);

    [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&address_); }
    [[nodiscard]] socklen_t size() const noexcept { return size_; }

private:
    sockaddr_un address_{};
    socklen_t size_ = 0;
};

/// The credentials of the process at the other end when it called connect() or listen(); of a listening socket, those
/// of the process that called listen(). Nothing, with errno set, when the kernel cannot report them.
[[nodiscard]] std::optional<ucred> peer_credentials(int socket) noexcept;

}  // namespace rondo
