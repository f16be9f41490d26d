// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <rondo/base/unique_fd.hpp>

namespace rondo::detail {

/// An abstract unix address: a name in the kernel, no file. Throws std::invalid_argument when it is too long.
class unix_name {
public:
    explicit unix_name(std::string_view name);
    [[nodiscard]] const sockaddr* address() const noexcept { return reinterpret_cast<const sockaddr*>(&address_); }
    [[nodiscard]] socklen_t size() const noexcept { return size_; }

private:
    sockaddr_un address_{};
    socklen_t size_;
};

/// A file in memory that holds these bytes, and that nobody can change any more. Throws std::system_error.
[[nodiscard]] unique_fd memory_file(std::string_view bytes);

/// The process at the other end, as it was when it called connect() or listen(); of a listening socket, who called
/// listen(). Throws std::system_error.
[[nodiscard]] ucred owner_of(int socket);

/// Whether a file has these bytes to read, and its owner cannot take them away: reading mapped ones that are gone would
/// end the process.
[[nodiscard]] bool is_sealed(int file, std::uint64_t size) noexcept;

/// send() that passes a descriptor along with the first byte, unless `file` is -1.
[[nodiscard]] ssize_t send_with_file(int socket, std::string_view bytes, int file) noexcept;
/// recv() that takes such a descriptor. More than one at once is not taken: they are closed, and the call fails
/// (EPROTO).
[[nodiscard]] ssize_t receive_with_file(int socket, char* to, std::size_t size, unique_fd& file) noexcept;
/// The same, appended to `to`. A byte costs what a byte costs, however many are asked for.
[[nodiscard]] ssize_t receive_with_file(int socket, std::string& to, std::size_t most, unique_fd& file);

}  // namespace rondo::detail
