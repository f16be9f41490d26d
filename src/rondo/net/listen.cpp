// SPDX-License-Identifier: Apache-2.0
#include <rondo/net/listen.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>

#include <rondo/base/clock.hpp>
#include <rondo/base/parse_number.hpp>
#include <rondo/base/trusted_path.hpp>

namespace rondo::net {

namespace {

[[noreturn]] void throw_invalid_address(std::string_view text, std::string_view reason) {
    throw std::invalid_argument(
        fmt::format("invalid listen address '{}': {}; expected HOST:PORT (127.0.0.1:8000, [::1]:8000, *:8000), "
                    "unix:/path or fd://N",
                    text, reason));
}

std::string error_text(int error) { return std::generic_category().message(error); }

[[noreturn]] void throw_listen_error(std::string_view url, int error) {
    std::string reason = error_text(error);
    if (error == EADDRINUSE) reason = "the address is in use by another process; stop it or choose another port";
    if (error == EACCES) reason = "permission denied; ports below 1024 need CAP_NET_BIND_SERVICE";
    if (error == EADDRNOTAVAIL) reason = "this machine does not have the address";
    throw std::runtime_error(fmt::format("cannot listen on {}: {}", url, reason));
}

std::string url_of(const sockaddr* address, socklen_t size) {
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    if (getnameinfo(address, size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV)) return "?";
    return address->sa_family == AF_INET6 ? fmt::format("http://[{}]:{}", host, port)
                                          : fmt::format("http://{}:{}", host, port);
}

std::string url_of(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size)) return "?";
    if (address.ss_family == AF_UNIX) return "unix:" + std::string(reinterpret_cast<sockaddr_un*>(&address)->sun_path);
    return url_of(reinterpret_cast<sockaddr*>(&address), size);
}

void set_option(int fd, int level, int option) {
    int on = 1;
    setsockopt(fd, level, option, &on, sizeof on);
}

// Calls `attempt` until it returns true. Returns false when it did not within `timeout`.
template <class Attempt>
bool retry_until_timeout(std::chrono::milliseconds timeout, Attempt attempt) {
    constexpr std::chrono::milliseconds step(25);
    for (const instant deadline = clock::now() + timeout; !attempt();) {
        if (clock::now() >= deadline) return false;
        std::this_thread::sleep_for(step);
    }
    return true;
}

listening_socket listen_tcp(const addrinfo& at, const listen_options& options) {
    std::string url = url_of(at.ai_addr, at.ai_addrlen);
    listening_socket s;
    s.fd.reset(socket(at.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!s.fd) throw_listen_error(url, errno);
    set_option(s.fd.value(), SOL_SOCKET, SO_REUSEADDR);
    if (options.reuse_port) set_option(s.fd.value(), SOL_SOCKET, SO_REUSEPORT);
    if (at.ai_family == AF_INET6) set_option(s.fd.value(), IPPROTO_IPV6, IPV6_V6ONLY);
    // Accepted sockets inherit the option.
    set_option(s.fd.value(), IPPROTO_TCP, TCP_NODELAY);
    const auto attempt = [&] {
        if (bind(s.fd.value(), at.ai_addr, at.ai_addrlen) == 0) return true;
        if (errno != EADDRINUSE) throw_listen_error(url, errno);
        return false;
    };
    if (!retry_until_timeout(options.retry_timeout, attempt)) throw_listen_error(url, EADDRINUSE);
    if (::listen(s.fd.value(), options.backlog)) throw_listen_error(url, errno);
    s.url = url_of(s.fd.value());
    return s;
}

// Calls `use` for every address the host resolves to, until it returns false. Ignores an exception when another address
// worked or follows: a host may resolve to an address family this machine lacks.
template <class Use>
void for_each_address(const bind_address& at, Use use) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    std::string port = std::to_string(at.port);
    int error = getaddrinfo(at.host.empty() ? nullptr : at.host.c_str(), port.c_str(), &hints, &found);
    if (error) {
        throw std::runtime_error(fmt::format("cannot listen on {}:{}: {}", at.host, at.port, gai_strerror(error)));
    }
    std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(found, freeaddrinfo);
    bool used = false;
    for (addrinfo* a = found; a; a = a->ai_next) {
        if (a->ai_family != AF_INET && a->ai_family != AF_INET6) continue;
        try {
            if (!use(*a)) return;
            used = true;
        } catch (const std::runtime_error&) {
            if (!a->ai_next && !used) throw;
        }
    }
}

std::vector<listening_socket> listen_tcp(const bind_address& at, const listen_options& options) {
    std::vector<listening_socket> sockets;
    for_each_address(at, [&](const addrinfo& a) {
        sockets.push_back(listen_tcp(a, options));
        return at.port != 0;  // a free port is chosen only once
    });
    return sockets;
}

// Probes with a temporary bind().
bool is_free_tcp(const bind_address& at) {
    bool free = true;
    for_each_address(at, [&free](const addrinfo& a) {
        unique_fd probe(socket(a.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (!probe) throw_listen_error(url_of(a.ai_addr, a.ai_addrlen), errno);
        set_option(probe.value(), SOL_SOCKET, SO_REUSEADDR);
        if (a.ai_family == AF_INET6) set_option(probe.value(), IPPROTO_IPV6, IPV6_V6ONLY);
        if (!bind(probe.value(), a.ai_addr, a.ai_addrlen)) return true;
        if (errno != EADDRINUSE) throw_listen_error(url_of(a.ai_addr, a.ai_addrlen), errno);
        free = false;
        return true;
    });
    return free;
}

// Returns true when no process listens behind the socket file. EAGAIN means a listener with a full backlog; waiting for
// it could block forever.
bool is_stale(const sockaddr_un& address) {
    unique_fd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return probe && connect(probe.value(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 &&
           errno == ECONNREFUSED;
}

// Two servers that start at the same time must not mistake each other's new socket for a stale file. Any user with read
// access to the folder can hold the lock too, so waiting for it is bounded.
unique_fd lock_folder(const unique_fd& folder) {
    unique_fd fd(openat(folder.value(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int tries = 0; fd && tries < 100 && flock(fd.value(), LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK; ++tries)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return fd;
}

// By descriptor: any user with write access to the folder could replace the file by a link.
bool set_mode(const resolved_path& at, unsigned mode) {
    const unique_fd file(openat(at.directory.value(), at.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat status{};
    if (!file || fstat(file.value(), &status)) return false;
    if (!S_ISSOCK(status.st_mode)) return errno = ENOTSOCK, false;
    return chmod(fmt::format("/proc/self/fd/{}", file.value()).c_str(), mode) == 0;
}

resolved_path locate_socket_file(const std::string& path) {
    try {
        return resolve_trusted_path(path);
    } catch (const std::system_error& e) {
        throw std::runtime_error(fmt::format("cannot listen on unix:{}: {}", path, e.what()));
    }
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

// Returns false when the path is in use by another socket.
bool try_listen(listening_socket& s, const std::string& path, const resolved_path& at, const listen_options& options) {
    const sockaddr_un address = address_of(path);
    const unique_fd folder_lock = lock_folder(at.directory);
    struct stat status{};
    if (!fstatat(at.directory.value(), at.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) && S_ISSOCK(status.st_mode)) {
        if (!is_stale(address)) return false;
        unlinkat(at.directory.value(), at.name.c_str(), 0);
    }
    if (bind(s.fd.value(), reinterpret_cast<const sockaddr*>(&address), sizeof address))
        throw_listen_error(s.url, errno);
    if (fstatat(at.directory.value(), at.name.c_str(), &status, AT_SYMLINK_NOFOLLOW)) throw_listen_error(s.url, errno);
    s.file = {path, status.st_dev, status.st_ino};
    if (!set_mode(at, options.mode) || ::listen(s.fd.value(), options.backlog)) {
        const int error = errno;
        s.file.remove();
        throw_listen_error(s.url, error);
    }
    return true;
}

listening_socket listen_unix(const std::string& path, const listen_options& options) {
    listening_socket s{unique_fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), "unix:" + path, {}};
    if (!s.fd) throw_listen_error(s.url, errno);
    const resolved_path at = locate_socket_file(path);
    if (!retry_until_timeout(options.retry_timeout, [&] { return try_listen(s, path, at, options); }))
        throw_listen_error(s.url, EADDRINUSE);
    return s;
}

bool is_free_unix(const std::string& path) {
    const resolved_path at = locate_socket_file(path);
    struct stat status{};
    if (!fstatat(at.directory.value(), at.name.c_str(), &status, AT_SYMLINK_NOFOLLOW)) {
        if (!S_ISSOCK(status.st_mode))
            throw std::runtime_error("unix:" + path + " exists and is not a socket; remove it");
        return is_stale(address_of(path));
    }
    if (faccessat(at.directory.value(), ".", W_OK | X_OK, 0)) throw_listen_error("unix:" + path, errno);
    return true;
}

listening_socket adopt_inherited(int fd) {
    int listening = 0;
    socklen_t size = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) || !listening) {
        throw std::runtime_error(
            fmt::format("fd://{}: descriptor {} is not a listening socket; the parent process must pass one", fd, fd));
    }
    set_option(fd, IPPROTO_TCP, TCP_NODELAY);
    return {unique_fd(fd), url_of(fd), {}, true};
}

std::optional<peer> numeric_form(const sockaddr_storage& address) noexcept {
    char text[INET6_ADDRSTRLEN] = "";
    if (address.ss_family == AF_INET) {
        const auto& in = reinterpret_cast<const sockaddr_in&>(address);
        inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
        return peer{text, ntohs(in.sin_port)};
    }
    if (address.ss_family == AF_INET6) {
        const auto& in = reinterpret_cast<const sockaddr_in6&>(address);
        inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text);
        return peer{text, ntohs(in.sin6_port)};
    }
    return std::nullopt;
}

}  // namespace

std::string bind_address::text() const {
    if (type == kind::unix_path) return "unix:" + path;
    if (type == kind::inherited) return fmt::format("fd://{}", fd);
    if (host.find(':') != host.npos) return fmt::format("[{}]:{}", host, port);
    return fmt::format("{}:{}", host.empty() ? "*" : host, port);
}

bind_address bind_address::parse(std::string_view text) {
    bind_address at;
    if (text.starts_with("unix:")) {
        at.type = kind::unix_path;
        at.path = text.substr(5);
        if (at.path.empty()) throw_invalid_address(text, "path is missing");
        if (at.path.size() >= sizeof(sockaddr_un::sun_path))
            throw_invalid_address(text, "path is longer than 107 bytes");
        return at;
    }
    if (text.starts_with("fd://")) {
        at.type = kind::inherited;
        at.fd = parse_number<int>(text.substr(5)).value_or(-1);
        if (at.fd < 0) throw_invalid_address(text, "descriptor is not a number");
        return at;
    }
    std::size_t colon = text.rfind(':');
    if (colon == text.npos) throw_invalid_address(text, "port is missing");
    std::string_view host = text.substr(0, colon);
    const std::optional<std::uint16_t> port = parse_number<std::uint16_t>(text.substr(colon + 1));
    if (!port) throw_invalid_address(text, "port is not a number from 0 to 65535");
    at.port = *port;
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    else if (host.find(':') != host.npos) throw_invalid_address(text, "IPv6 address is not in brackets");
    at.host = host == "*" ? "" : host;
    return at;
}

std::vector<listening_socket> listen(const bind_address& address, const listen_options& options) {
    if (address.type == bind_address::kind::tcp) return listen_tcp(address, options);
    std::vector<listening_socket> sockets;
    sockets.push_back(address.type == bind_address::kind::unix_path ? listen_unix(address.path, options)
                                                                    : adopt_inherited(address.fd));
    return sockets;
}

bool is_free(const bind_address& address) {
    if (address.type == bind_address::kind::tcp) return is_free_tcp(address);
    return address.type == bind_address::kind::inherited || is_free_unix(address.path);
}

peer peer_of(int socket) noexcept {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size)) return {};
    return numeric_form(address).value_or(peer{"unix", 0});
}

local_end local_end_of(int socket) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size)) return {};
    if (const std::optional<peer> ip = numeric_form(address)) return {ip->address, ip->port, false};
    std::string path = reinterpret_cast<const sockaddr_un&>(address).sun_path;
    const std::size_t path_size = size - std::min<std::size_t>(size, offsetof(sockaddr_un, sun_path));
    if (path.empty() && path_size > 0) {
        path.assign(reinterpret_cast<const sockaddr_un&>(address).sun_path, path_size);
        path[0] = '@';
    }
    return {std::move(path), 0, true};
}

}  // namespace rondo::net
