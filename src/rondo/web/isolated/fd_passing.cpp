// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/isolated/fd_passing.hpp>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace rondo::detail {

unique_fd make_memory_file(std::string_view bytes) {
    unique_fd file(::memfd_create("rondo-body", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file) throw std::system_error(errno, std::generic_category(), "cannot create a memory file for a body");
    while (!bytes.empty()) {
        const ssize_t n = ::write(file.value(), bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw std::system_error(errno, std::generic_category(), "cannot write a body to a memory file");
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::fcntl(file.value(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL))
        throw std::system_error(errno, std::generic_category(), "cannot seal a memory file");
    return file;
}

bool is_sealed(int file, std::uint64_t size) noexcept {
    const int seals = ::fcntl(file, F_GET_SEALS);
    struct stat status{};
    return seals >= 0 && (seals & F_SEAL_SHRINK) && ::fstat(file, &status) == 0 &&
           static_cast<std::uint64_t>(status.st_size) >= size;
}

ucred require_peer_credentials(int socket) {
    const std::optional<ucred> credentials = peer_credentials(socket);
    if (!credentials) throw std::system_error(errno, std::generic_category(), "getsockopt(SO_PEERCRED)");
    return *credentials;
}

ssize_t send_with_fd(int socket, std::string_view bytes, int file) noexcept {
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) char space[CMSG_SPACE(sizeof file)] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (file >= 0) {
        message.msg_control = space;
        message.msg_controllen = sizeof space;
        cmsghdr* const c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof file);
        std::memcpy(CMSG_DATA(c), &file, sizeof file);
    }
    return ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

ssize_t receive_with_fd(int socket, char* to, std::size_t size, unique_fd& file) noexcept {
    iovec part{to, size};
    alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = space;
    message.msg_controllen = sizeof space;
    const ssize_t n = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (n < 0) return n;
    // Padding may leave room for a second descriptor.
    std::size_t count = 0;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        for (std::size_t at = 0; CMSG_LEN(at + sizeof(int)) <= c->cmsg_len; at += sizeof(int)) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
            unique_fd received(fd);
            if (++count == 1) file = std::move(received);
        }
    }
    if (count <= 1 && !(message.msg_flags & MSG_CTRUNC)) return n;
    file.reset();
    errno = EPROTO;
    return -1;
}

ssize_t receive_with_fd(int socket, std::string& to, std::size_t max_size, unique_fd& file) {
    const std::size_t before = to.size();
    ssize_t n = 0;
    to.resize_and_overwrite(before + max_size, [&](char* bytes, std::size_t) {
        n = receive_with_fd(socket, bytes + before, max_size, file);
        return n > 0 ? before + static_cast<std::size_t>(n) : before;
    });
    return n;
}

}  // namespace rondo::detail
