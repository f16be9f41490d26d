// SPDX-License-Identifier: Apache-2.0
// The least work an epoll server can do per HTTP/1.1 request: ceiling_epoll PORT [edge] [close]
//
// One thread, one recv and one send per readable event. It counts heads and answers each with a canned response; it
// does not parse, so it is a lower bound, not a server. "/timer" is answered after 1 ms, "/wait" after 1 s.
//   edge     edge-triggered: epoll_wait does not check a socket a second time
//   close    close the connection after each response
// State per connection: 16 bytes in a table indexed by descriptor. No buffer while idle.
#include <sys/epoll.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <vector>

#include <fmt/core.h>

#include "canned.hpp"

namespace {

struct connection {
    std::size_t unsent = 0;  // bytes of responses that the socket has not accepted yet
    std::uint16_t generation = 0;
    std::uint8_t matched = 0;
    bool writable_watched = false;
};

class server {
public:
    server(int port, bool edge, bool close_after)
        : block_(ceiling::responses()), listener_(bench::listen_on(port, SOCK_NONBLOCK)), close_after_(close_after) {
        epoll_ = bench::checked(epoll_create1(0), "epoll_create1");
        watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
        if (edge) edge_ = EPOLLET;
    }

    [[noreturn]] void run() {
        static epoll_event events[512];
        for (;;) {
            const int timeout = delayed_.expire([this](const auto& entry) { respond_delayed(entry); });
            const int n = epoll_wait(epoll_, events, 512, timeout);
            for (int i = 0; i < n; ++i) handle(events[i]);
        }
    }

private:
    void handle(const epoll_event& event) {
        const int fd = event.data.fd;
        if (fd == listener_) return accept_ready();
        if (event.events & EPOLLOUT) {
            if (!flush(fd) || (close_after_ && !connection_at(fd).unsent)) return drop(fd);
            if (!(event.events & EPOLLIN)) return;
        }
        on_readable(fd);
    }

    void accept_ready() {
        for (int k = 0; k < 64; ++k) {
            const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
            if (fd < 0) return;
            const auto index = static_cast<std::size_t>(fd);
            if (index >= connections_.size()) connections_.resize(index * 2 + 64);
            watch(EPOLL_CTL_ADD, fd, EPOLLIN);
        }
    }

    void on_readable(int fd) {
        static char buffer[64 * 1024];
        const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n <= 0) {
            if (n == 0 || errno != EAGAIN) drop(fd);
            return;
        }
        connection& c = connection_at(fd);
        const std::string_view bytes(buffer, static_cast<std::size_t>(n));
        const std::size_t heads = ceiling::count_heads(c.matched, bytes);
        if (heads == 1) {
            if (const unsigned ms = ceiling::delayed_responses::delay_ms(bytes))
                return delayed_.add(ms, fd, c.generation);
        }
        respond(fd, heads);
        if (bytes.size() == sizeof buffer && edge_) on_readable(fd);
    }

    void respond(int fd, std::size_t heads) {
        connection& c = connection_at(fd);
        c.unsent += heads * ceiling::response.size();
        if (c.unsent && (!flush(fd) || (close_after_ && !c.unsent))) drop(fd);
    }

    void respond_delayed(const ceiling::delayed_responses::entry& due) {
        if (connection_at(due.fd).generation == due.generation) respond(due.fd, 1);
    }

    bool flush(int fd) {
        connection& c = connection_at(fd);
        while (c.unsent) {
            // The unsent bytes are the end of a run of whole responses: start inside the first one.
            const std::size_t size = ceiling::response.size(), skip = (size - c.unsent % size) % size;
            const ssize_t n = send(fd, block_.data() + skip, std::min(c.unsent, block_.size() - skip), MSG_NOSIGNAL);
            if (n < 0) return errno == EAGAIN && watch_writable(fd, true);
            c.unsent -= static_cast<std::size_t>(n);
        }
        return watch_writable(fd, false);
    }

    bool watch_writable(int fd, bool watched) {
        connection& c = connection_at(fd);
        if (c.writable_watched == watched) return true;
        c.writable_watched = watched;
        watch(EPOLL_CTL_MOD, fd, watched ? EPOLLIN | EPOLLOUT : EPOLLIN);
        return true;
    }

    void drop(int fd) {
        const auto next_generation = static_cast<std::uint16_t>(connection_at(fd).generation + 1);
        connection_at(fd) = connection{};
        connection_at(fd).generation = next_generation;
        close(fd);  // also removes it from the epoll set
    }

    void watch(int operation, int fd, std::uint32_t events) {
        epoll_event event{};
        event.events = events | edge_;
        event.data.fd = fd;
        epoll_ctl(epoll_, operation, fd, &event);
    }

    connection& connection_at(int fd) noexcept { return connections_[static_cast<std::size_t>(fd)]; }

    std::string block_;
    std::vector<connection> connections_;
    ceiling::delayed_responses delayed_;
    int epoll_ = -1;
    int listener_;
    std::uint32_t edge_ = 0;
    bool close_after_;
};

}  // namespace

int main(int argc, char** argv) try {
    const std::vector<std::string_view> arguments(argv + 1, argv + argc);
    const auto has = [&](std::string_view argument) {
        return std::find(arguments.begin(), arguments.end(), argument) != arguments.end();
    };
    if (arguments.empty()) return fmt::print(stderr, "usage: ceiling_epoll PORT [edge] [close]\n"), 2;
    bench::raise_descriptor_limit();
    server(std::atoi(argv[1]), has("edge"), has("close")).run();
} catch (const std::exception& e) {
    fmt::print(stderr, "ceiling_epoll: {}\n", e.what());
    return 1;
}
