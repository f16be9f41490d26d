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
#include <sys/socket.h>
#include <unistd.h>

#include <rondo/base/abstract_socket.hpp>
#include <rondo/base/random_token.hpp>

namespace rondo::peer_discovery {

namespace {

// Written before the fork, only read after it.
std::string& stored_name() {
    static std::string name;
    return name;
}

unique_fd make_socket() {
    unique_fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) throw std::system_error(errno, std::generic_category(), "creating a unix socket for the workers");
    return socket;
}

// Returns 0 or errno.
int connect_to(int socket, std::string_view full_name) {
    const abstract_address to(full_name);
    int status = 0;
    do {
        status = ::connect(socket, to.get(), to.size());
    } while (status != 0 && errno == EINTR);
    return status == 0 ? 0 : errno;
}

// A line of /proc/net/unix: address, references, protocol, flags, type, state, inode, name.
std::string_view listening_name(std::string_view line) {
    constexpr std::string_view listening = "00010000";  // __SO_ACCEPTCON
    const std::size_t at = line.find(" @");
    if (at == std::string_view::npos || line.find(listening) == std::string_view::npos) return {};
    return line.substr(at + 2);
}

}  // namespace

void set_name(std::string name) {
    if (name.size() > 40) throw std::invalid_argument("peer discovery name '" + name + "' has more than 40 bytes");
    stored_name() = std::move(name);
}

const std::string& name() noexcept { return stored_name(); }

std::string make_name() { return "rondo-" + random_token(); }

unique_fd claim_name(std::string_view full_name) {
    unique_fd socket = make_socket();
    const abstract_address at(full_name);
    if (::bind(socket.value(), at.get(), at.size()) != 0) {
        if (errno == EADDRINUSE) return {};
        throw std::system_error(errno, std::generic_category(), fmt::format("binding the unix socket @{}", full_name));
    }
    if (::listen(socket.value(), SOMAXCONN) != 0)
        throw std::system_error(errno, std::generic_category(), fmt::format("listening on @{}", full_name));
    return socket;
}

std::vector<std::string> find_names(std::string_view prefix) {
    std::ifstream table("/proc/self/net/unix");
    if (!table) throw std::runtime_error("cannot read /proc/self/net/unix: the workers cannot find each other");
    std::vector<std::string> found;
    for (std::string line; std::getline(table, line);) {
        const std::string_view name = listening_name(line);
        if (name.starts_with(prefix)) found.emplace_back(name);
    }
    return found;
}

bool name_owner::is_trusted() const noexcept { return connection && (uid == ::geteuid() || uid == 0); }

name_owner owner_of(std::string_view full_name) {
    name_owner found;
    unique_fd socket = make_socket();
    found.error = connect_to(socket.value(), full_name);
    if (found.error != 0) return found;
    const std::optional<ucred> credentials = peer_credentials(socket.value());
    if (!credentials) {
        found.error = errno;
        return found;
    }
    found.connection = std::move(socket);
    found.uid = credentials->uid;
    found.pid = credentials->pid;
    return found;
}

unique_fd connect(std::string_view full_name) {
    unique_fd socket = make_socket();
    if (connect_to(socket.value(), full_name) != 0 || !is_same_user(socket.value())) return {};
    return socket;
}

bool is_same_user(int socket) noexcept {
    const std::optional<ucred> credentials = peer_credentials(socket);
    return credentials && credentials->uid == ::geteuid();
}

pid_t peer_pid(int socket) noexcept {
    const std::optional<ucred> credentials = peer_credentials(socket);
    return credentials ? credentials->pid : 0;
}

}  // namespace rondo::peer_discovery
