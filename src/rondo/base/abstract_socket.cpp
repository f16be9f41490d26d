// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/abstract_socket.hpp>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>

namespace rondo {

abstract_address::abstract_address(std::string_view name) {
    // The leading zero byte of an abstract address takes one byte.
    if (name.size() >= sizeof address_.sun_path)
        throw std::invalid_argument(
            fmt::format("unix socket name '{}' is too long; at most {} bytes", name, sizeof address_.sun_path - 1));
    address_.sun_family = AF_UNIX;
    std::memcpy(address_.sun_path + 1, name.data(), name.size());
    size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
}

std::optional<ucred> peer_credentials(int socket) noexcept {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
    return credentials;
}

}  // namespace rondo
