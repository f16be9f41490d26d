// SPDX-License-Identifier: Apache-2.0
// Socket calls, descriptor limit and clock, shared by the benchmark programs.
#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <system_error>

/// Failures throw std::system_error.
namespace bench {

inline int checked(int result, const char* operation) {
    if (result < 0) throw std::system_error(errno, std::generic_category(), operation);
    return result;
}

inline sockaddr_in loopback(int port, std::uint32_t address = INADDR_LOOPBACK) {
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_port = htons(static_cast<std::uint16_t>(port));
    result.sin_addr.s_addr = htonl(address);
    return result;
}

/// A listener on 127.0.0.1. Accepted sockets inherit TCP_NODELAY from it. `flags`: SOCK_NONBLOCK or 0.
inline int listen_on(int port, int flags) {
    const int fd = checked(socket(AF_INET, SOCK_STREAM | flags, 0), "socket");
    const int enable = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &enable, sizeof enable);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &enable, sizeof enable);
    const sockaddr_in address = loopback(port);
    checked(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
    checked(listen(fd, 65535), "listen");
    return fd;
}

/// A blocking connection to 127.0.0.1.
inline int connect_to(int port) {
    const int fd = checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
    const int enable = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &enable, sizeof enable);
    const sockaddr_in address = loopback(port);
    checked(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "connect");
    return fd;
}

/// Raises the descriptor limit to the hard limit, and returns it.
inline unsigned raise_descriptor_limit() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return static_cast<unsigned>(limit.rlim_cur);
}

inline std::uint64_t now_ns() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(t.tv_nsec);
}

}  // namespace bench
