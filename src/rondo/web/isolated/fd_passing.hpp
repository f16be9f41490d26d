// SPDX-License-Identifier: Apache-2.0
// Passing of file descriptors over unix sockets, and sealed memory files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/types.h>

#include <rondo/base/abstract_socket.hpp>
#include <rondo/base/unique_fd.hpp>

namespace rondo::detail {

/// Returns a sealed, immutable memory file with these bytes. Throws std::system_error.
[[nodiscard]] unique_fd make_memory_file(std::string_view bytes);

/// Returns the credentials of the peer when it called connect() or listen(); for a listening socket, those of the
/// process that called listen(). Throws std::system_error.
[[nodiscard]] ucred require_peer_credentials(int socket);

/// Returns whether a file has at least `size` bytes and is sealed against truncation, as accessing a mapping beyond the
/// end would kill the process.
[[nodiscard]] bool is_sealed(int file, std::uint64_t size) noexcept;

/// Like send(), and passes a descriptor with the first byte unless `file` is -1.
[[nodiscard]] ssize_t send_with_fd(int socket, std::string_view bytes, int file) noexcept;
/// Like recv(), and receives such a descriptor. If there is more than one, all are closed and the call fails with
/// EPROTO.
[[nodiscard]] ssize_t receive_with_fd(int socket, char* to, std::size_t size, unique_fd& file) noexcept;
/// Appends up to `max_size` bytes to `to`, without initialising memory that receives none.
[[nodiscard]] ssize_t receive_with_fd(int socket, std::string& to, std::size_t max_size, unique_fd& file);

}  // namespace rondo::detail
