// SPDX-License-Identifier: Apache-2.0
#include <rondo/channels/redis/connect.hpp>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <rondo/coro/waiter.hpp>

namespace rondo::channels_detail {

namespace {

struct socket_address {
    sockaddr_storage value{};
    socklen_t size = 0;
};

std::vector<socket_address> look_up(const std::string& host, std::uint16_t port, int flags) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = flags | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int status = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found);
    std::vector<socket_address> all;
    if (status != 0 && (flags & AI_NUMERICHOST) != 0) return all;
    if (status != 0)
        throw std::runtime_error(fmt::format("the name '{}' cannot be looked up: {}", host, ::gai_strerror(status)));
    for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
        socket_address& next = all.emplace_back();
        std::memcpy(&next.value, at->ai_addr, at->ai_addrlen);
        next.size = at->ai_addrlen;
    }
    ::freeaddrinfo(found);
    return all;
}

socket_address unix_address(const std::string& path) {
    socket_address made;
    auto& at = reinterpret_cast<sockaddr_un&>(made.value);
    if (path.size() >= sizeof at.sun_path)
        throw std::runtime_error(fmt::format("the path '{}' is too long for a unix socket", path));
    at.sun_family = AF_UNIX;
    std::memcpy(at.sun_path, path.c_str(), path.size() + 1);
    made.size = sizeof at;
    return made;
}

/// Waits until a connecting socket is connected, or failed to.
class [[nodiscard]] writable final : public waiter, poll_operation {
public:
    writable(event_loop& loop, int fd) noexcept
        : waiter([](waiter& self) noexcept { static_cast<writable&>(self).leave(); }), loop_(loop), fd_(fd) {}
    ~writable() { leave(); }
    writable(const writable&) = delete;
    writable& operator=(const writable&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) {
        if (!suspend(who)) return false;
        loop_.io().poll(*this, fd_, POLLOUT);
        polling_ = true;
        return true;
    }
    void await_resume() const { check(); }

private:
    void polled(int) noexcept override {
        polling_ = false;
        wake();
    }
    void leave() noexcept {
        if (std::exchange(polling_, false)) loop_.io().cancel(*this);
    }

    event_loop& loop_;
    int fd_;
    bool polling_ = false;
};

unique_fd begin(const socket_address& to, int& error) {
    unique_fd made(::socket(to.value.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    error = made ? 0 : errno;
    if (!made) return made;
    const int on = 1;
    if (to.value.ss_family != AF_UNIX) ::setsockopt(made.value(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(made.value(), reinterpret_cast<const sockaddr*>(&to.value), to.size) != 0) error = errno;
    return made;
}

int error_of(int fd) noexcept {
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace

task<unique_fd> connect_to(const channels_url& url, thread_pool& resolver) {
    std::vector<socket_address> addresses;
    if (!url.path.empty()) addresses.push_back(unix_address(url.path));
    else addresses = look_up(url.host, url.port, AI_NUMERICHOST);
    if (addresses.empty()) {
        auto look = [&url] { return look_up(url.host, url.port, 0); };
        addresses = co_await resolver.run(look);
    }
    int error = 0;
    for (const socket_address& address : addresses) {
        unique_fd made = begin(address, error);
        if (error == EINPROGRESS) {
            co_await writable(event_loop::current(), made.value());
            error = error_of(made.value());
        }
        if (error == 0) co_return made;
    }
    throw std::runtime_error(std::generic_category().message(error));
}

}  // namespace rondo::channels_detail
