// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/managed_listener.hpp>

#include <array>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace rondo::process {

void refuse_new(const managed_listener& socket) noexcept {
    if (!socket.file.empty()) return socket.file.remove();
    if (socket.externally_owned) return;
    // A filter of a TCP socket sees the packet from the TCP header on; the flags are in byte 13.
    constexpr unsigned flags_at = 13;
    constexpr unsigned syn = 0x02;
    constexpr unsigned ack = 0x10;
    std::array<sock_filter, 5> program{{
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, flags_at),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, syn | ack),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, syn, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0x7fffffff),
    }};
    sock_fprog filter{.len = program.size(), .filter = program.data()};
    setsockopt(socket.fd.value(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

std::size_t backlog_length(int listening_fd) noexcept {
    // For a listening socket the kernel reports the length of the accept queue in tcpi_unacked.
    tcp_info info{};
    socklen_t size = sizeof info;
    if (getsockopt(listening_fd, IPPROTO_TCP, TCP_INFO, &info, &size)) return 0;
    return info.tcpi_state == TCP_LISTEN ? info.tcpi_unacked : 0;
}

unique_fd duplicate(int fd) {
    unique_fd copy(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!copy) throw std::system_error(errno, std::generic_category(), "fcntl");
    return copy;
}

void set_close_on_exec(int fd, bool on) noexcept {
    int flags = fcntl(fd, F_GETFD);
    if (flags >= 0) fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC);
}

}  // namespace rondo::process
