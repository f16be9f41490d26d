// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/admin_client.hpp>

#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <rondo/base/unique_fd.hpp>

namespace rondo::admin {

namespace {

constexpr timeval step_timeout{.tv_sec = 5, .tv_usec = 0};

[[noreturn]] void fail_unreachable(const std::string& name, std::string_view reason) {
    throw std::runtime_error(fmt::format("the admin listener at {} does not respond: {}", name, reason));
}

[[noreturn]] void fail_unreachable(const std::string& name, int error) {
    fail_unreachable(name, std::generic_category().message(error));
}

unique_fd connect_socket(const sockaddr* address, socklen_t size) {
    unique_fd fd(socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) return fd;
    setsockopt(fd.value(), SOL_SOCKET, SO_RCVTIMEO, &step_timeout, sizeof step_timeout);
    setsockopt(fd.value(), SOL_SOCKET, SO_SNDTIMEO, &step_timeout, sizeof step_timeout);
    if (connect(fd.value(), address, size) != 0) fd.reset();
    return fd;
}

unique_fd connect_to_path(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return {};
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    return connect_socket(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

unique_fd connect_to_host(const std::string& name, const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string node = host.empty() ? "127.0.0.1" : host;
    const int status = getaddrinfo(node.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (status != 0) fail_unreachable(name, gai_strerror(status));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, freeaddrinfo);
    unique_fd fd;
    for (const addrinfo* a = found; a != nullptr && !fd; a = a->ai_next) fd = connect_socket(a->ai_addr, a->ai_addrlen);
    return fd;
}

// The request is one of HTTP/1.0: its response is never chunked and ends with the connection (RFC 9112 section 6.1).
std::string exchange(int fd, const std::string& name) {
    constexpr std::string_view request = "GET /status.json HTTP/1.0\r\nHost: localhost\r\n\r\n";
    if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
        fail_unreachable(name, errno);
    std::string response;
    char bytes[16384];
    for (;;) {
        const ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n == 0) return response;
        if (n < 0) fail_unreachable(name, errno);
        response.append(bytes, static_cast<std::size_t>(n));
    }
}

}  // namespace

codec::json_value fetch_status(const net::bind_address& address) {
    using kind = net::bind_address::kind;
    if (address.type == kind::inherited || (address.type == kind::tcp && address.port == 0))
        throw std::runtime_error(
            "the settings do not contain the address of the admin listener; set --admin 127.0.0.1:PORT or unix:/path");
    const std::string name = address.text();
    const unique_fd fd = address.type == kind::unix_path ? connect_to_path(address.path)
                                                         : connect_to_host(name, address.host, address.port);
    if (!fd) fail_unreachable(name, errno);
    const std::string response = exchange(fd.value(), name);
    const std::size_t head_end = response.find("\r\n\r\n");
    if (!response.starts_with("HTTP/1.") || response.substr(8, 5) != " 200 " || head_end == std::string::npos)
        throw std::runtime_error(fmt::format("{} is not an admin listener of Rondo: GET /status.json returned '{}'",
                                             name,
                                             std::string_view(response).substr(0, response.find('\r')).substr(0, 80)));
    auto value = codec::parse_json(std::string_view(response).substr(head_end + 4));
    if (!value)
        throw std::runtime_error(
            fmt::format("{} did not return JSON for /status.json: {}", name, value.error().message));
    return *std::move(value);
}

}  // namespace rondo::admin
