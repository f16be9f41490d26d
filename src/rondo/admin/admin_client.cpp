// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/admin_client.hpp>

#include <cerrno>
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

constexpr timeval patience{.tv_sec = 5, .tv_usec = 0};

[[noreturn]] void no_answer(const std::string& at, int error) {
    throw std::runtime_error(
        fmt::format("the admin listener at {} does not answer: {}", at, std::generic_category().message(error)));
}

unique_fd connected(const sockaddr* to, socklen_t size) {
    unique_fd s(socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!s) return s;
    setsockopt(s.value(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(s.value(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(s.value(), to, size)) s.reset();
    return s;
}

unique_fd to_path(const std::string& path) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    path.copy(to.sun_path, sizeof to.sun_path - 1);
    return connected(reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

unique_fd to_host(const std::string& host, std::uint16_t port) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string any = host.empty() ? "127.0.0.1" : host;
    if (getaddrinfo(any.c_str(), std::to_string(port).c_str(), &wanted, &found)) {
        errno = EHOSTUNREACH;
        return {};
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(found, freeaddrinfo);
    unique_fd s;
    for (const addrinfo* a = found; a != nullptr && !s; a = a->ai_next) s = connected(a->ai_addr, a->ai_addrlen);
    return s;
}

std::string exchange(int socket, std::string_view request, const std::string& at) {
    if (send(socket, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
        no_answer(at, errno);
    std::string all;
    char part[16384];
    for (;;) {
        const ssize_t n = recv(socket, part, sizeof part, 0);
        if (n == 0) return all;
        if (n < 0) no_answer(at, errno);
        all.append(part, static_cast<std::size_t>(n));
    }
}

}  // namespace

codec::json_value ask_admin(const net::bind_address& at) {
    using kind = net::bind_address::kind;
    if (at.what == kind::inherited || (at.what == kind::tcp && at.port == 0))
        throw std::runtime_error(
            "the address of the admin listener is not known from the settings: give --admin "
            "127.0.0.1:PORT or unix:/path");
    const std::string name = at.what == kind::unix_path ? at.path : fmt::format("{}:{}", at.host, at.port);
    const unique_fd s = at.what == kind::unix_path ? to_path(at.path) : to_host(at.host, at.port);
    if (!s) no_answer(name, errno);
    const std::string answer =
        exchange(s.value(), "GET /status.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", name);
    const std::size_t head = answer.find("\r\n\r\n");
    if (!answer.starts_with("HTTP/1.1 200 ") || head == std::string::npos)
        throw std::runtime_error(fmt::format("what listens at {} is no admin listener of Rondo", name));
    auto value = codec::parse_json(std::string_view(answer).substr(head + 4));
    if (!value) throw std::runtime_error(fmt::format("what {} says is no JSON: {}", name, value.error().message));
    return *std::move(value);
}

}  // namespace rondo::admin
