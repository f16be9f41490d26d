// SPDX-License-Identifier: Apache-2.0
#include <rondo/net/endpoint.hpp>

#include <cstring>
#include <memory>
#include <stdexcept>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace rondo::net {

endpoint::endpoint(const void* address, std::size_t size) : size_(static_cast<std::uint32_t>(size)) {
    if (size > bytes_.size() || size < sizeof(sa_family_t))
        throw std::invalid_argument(fmt::format("invalid size of a socket address: {} bytes", size));
    std::memcpy(bytes_.data(), address, size);
}

std::optional<endpoint> endpoint::numeric(std::string_view host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    const std::string name(host);
    if (name.empty() || getaddrinfo(name.c_str(), nullptr, &hints, &found)) return std::nullopt;
    std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(found, freeaddrinfo);
    endpoint result(found->ai_addr, found->ai_addrlen);
    result.set_port(port);
    return result;
}

endpoint endpoint::unix_path(std::string_view path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        throw std::invalid_argument(
            fmt::format("unix socket path '{}' must have 1 to {} bytes", path, sizeof address.sun_path - 1));
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    return {&address, sizeof address};
}

int endpoint::family() const noexcept {
    sa_family_t family = 0;
    std::memcpy(&family, bytes_.data(), sizeof family);
    return family;
}

void endpoint::set_port(std::uint16_t port) noexcept {
    const in_port_t network_order = htons(port);
    if (family() == AF_INET)
        std::memcpy(bytes_.data() + offsetof(sockaddr_in, sin_port), &network_order, sizeof network_order);
    if (family() == AF_INET6)
        std::memcpy(bytes_.data() + offsetof(sockaddr_in6, sin6_port), &network_order, sizeof network_order);
}

std::string endpoint::text() const {
    const auto* address = reinterpret_cast<const sockaddr*>(bytes_.data());
    if (family() == AF_UNIX) return "unix:" + std::string(reinterpret_cast<const sockaddr_un*>(address)->sun_path);
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    if (getnameinfo(address, size_, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV)) return "?";
    return family() == AF_INET6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

}  // namespace rondo::net
