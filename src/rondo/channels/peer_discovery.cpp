// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/peer_discovery.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace rondo::rendezvous {

namespace {

// Before the fork it is written, after it only read.
std::string& chosen() {
    static std::string name;
    return name;
}

struct abstract_address {
    sockaddr_un value{};
    socklen_t size = 0;

    explicit abstract_address(std::string_view name) {
        if (name.size() >= sizeof value.sun_path)
            throw std::invalid_argument(fmt::format("'{}' is too long for the name of a unix socket", name));
        value.sun_family = AF_UNIX;
        std::memcpy(value.sun_path + 1, name.data(), name.size());  // after a zero byte: abstract
        size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    }
    [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&value); }
};

unique_fd make_socket() {
    unique_fd made(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!made) throw std::system_error(errno, std::generic_category(), "a unix socket between the workers");
    return made;
}

// 0, or why it is not connected.
int connect_to(int socket, std::string_view full_name) {
    const abstract_address to(full_name);
    int status = 0;
    do {
        status = ::connect(socket, to.get(), to.size);
    } while (status != 0 && errno == EINTR);
    return status == 0 ? 0 : errno;
}

std::optional<ucred> peer_of(int socket) noexcept {
    ucred other{};
    socklen_t size = sizeof other;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &other, &size) != 0) return std::nullopt;
    return other;
}

// A line of /proc/net/unix: address, references, protocol, flags, type, state, inode, name.
std::string_view listening_name(std::string_view line) {
    constexpr std::string_view listens = "00010000";  // __SO_ACCEPTCON
    const std::size_t at = line.find(" @");
    if (at == std::string_view::npos || line.find(listens) == std::string_view::npos) return {};
    return line.substr(at + 2);
}

}  // namespace

void set(std::string name) {
    if (name.size() > 40) throw std::invalid_argument("the name of a rendezvous has at most 40 bytes");
    chosen() = std::move(name);
}

const std::string& name() noexcept { return chosen(); }

std::string make_name() { return "rondo-" + make_suffix(); }

std::string make_suffix() {
    std::uint64_t random = 0;
    if (::getrandom(&random, sizeof random, 0) != sizeof random)
        throw std::system_error(errno, std::generic_category(), "getrandom");
    return fmt::format("{:016x}", random);
}

unique_fd claim(std::string_view full_name) {
    unique_fd made = make_socket();
    const abstract_address at(full_name);
    if (::bind(made.value(), at.get(), at.size) != 0) {
        if (errno == EADDRINUSE) return {};
        throw std::system_error(errno, std::generic_category(), fmt::format("binding the unix socket @{}", full_name));
    }
    if (::listen(made.value(), SOMAXCONN) != 0)
        throw std::system_error(errno, std::generic_category(), fmt::format("listening on @{}", full_name));
    return made;
}

std::vector<std::string> find(std::string_view prefix) {
    std::ifstream table("/proc/self/net/unix");
    if (!table) throw std::runtime_error("/proc/self/net/unix cannot be read: the workers cannot find each other");
    std::vector<std::string> found;
    for (std::string line; std::getline(table, line);) {
        const std::string_view name = listening_name(line);
        if (name.starts_with(prefix)) found.emplace_back(name);
    }
    return found;
}

bool holder::trusted() const noexcept { return connection && (user == ::geteuid() || user == 0); }

holder holder_of(std::string_view full_name) {
    holder found;
    unique_fd made = make_socket();
    found.error = connect_to(made.value(), full_name);
    if (found.error != 0) return found;
    const std::optional<ucred> other = peer_of(made.value());
    if (!other) {
        found.error = errno;
        return found;
    }
    found.connection = std::move(made);
    found.user = other->uid;
    found.process = other->pid;
    return found;
}

unique_fd connect(std::string_view full_name) {
    unique_fd made = make_socket();
    if (connect_to(made.value(), full_name) != 0 || !same_user(made.value())) return {};
    return made;
}

bool same_user(int socket) noexcept {
    const std::optional<ucred> other = peer_of(socket);
    return other && other->uid == ::geteuid();
}

pid_t process_of(int socket) noexcept {
    const std::optional<ucred> other = peer_of(socket);
    return other ? other->pid : 0;
}

}  // namespace rondo::rendezvous
