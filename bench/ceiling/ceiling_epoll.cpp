// SPDX-License-Identifier: Apache-2.0
// The least work an epoll server can do per HTTP/1.1 request: ceiling_epoll PORT [edge] [close]
//
// One thread, one recv and one send per readable event. It counts heads and answers each with a canned response; it
// does not parse, so it is a bound and not a server. "/timer" is answered after 1 ms, "/wait" after 1 s.
//   edge     edge-triggered: epoll_wait does not look at a socket a second time
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
    std::size_t owed = 0;  // bytes of responses that the socket did not take yet
    std::uint16_t generation = 0;
    std::uint8_t matched = 0;
    bool wants_write = false;
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
            const int timeout = later_.expire([this](const auto& answer) { answer_late(answer); });
            const int n = epoll_wait(epoll_, events, 512, timeout);
            for (int i = 0; i < n; ++i) handle(events[i]);
        }
    }

private:
    void handle(const epoll_event& event) {
        const int fd = event.data.fd;
        if (fd == listener_) return accept_some();
        if (event.events & EPOLLOUT) {
            if (!flush(fd) || (close_after_ && !of(fd).owed)) return drop(fd);
            if (!(event.events & EPOLLIN)) return;
        }
        readable(fd);
    }

    void accept_some() {
        for (int k = 0; k < 64; ++k) {
            const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
            if (fd < 0) return;
            const auto index = static_cast<std::size_t>(fd);
            if (index >= connections_.size()) connections_.resize(index * 2 + 64);
            watch(EPOLL_CTL_ADD, fd, EPOLLIN);
        }
    }

    void readable(int fd) {
        static char buffer[64 * 1024];
        const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n <= 0) {
            if (n == 0 || errno != EAGAIN) drop(fd);
            return;
        }
        connection& c = of(fd);
        const std::string_view bytes(buffer, static_cast<std::size_t>(n));
        const std::size_t heads = ceiling::count_heads(c.matched, bytes);
        if (heads == 1) {
            if (const unsigned ms = ceiling::delays::of(bytes)) return later_.add(ms, fd, c.generation);
        }
        answer(fd, heads);
        if (bytes.size() == sizeof buffer && edge_) readable(fd);
    }

    void answer(int fd, std::size_t heads) {
        connection& c = of(fd);
        c.owed += heads * ceiling::response.size();
        if (c.owed && (!flush(fd) || (close_after_ && !c.owed))) drop(fd);
    }

    void answer_late(const ceiling::delays::answer& late) {
        if (of(late.fd).generation == late.generation) answer(late.fd, 1);
    }

    bool flush(int fd) {
        connection& c = of(fd);
        while (c.owed) {
            // Owed is the end of a run of whole responses: start inside the first one.
            const std::size_t one = ceiling::response.size(), skip = (one - c.owed % one) % one;
            const ssize_t n = send(fd, block_.data() + skip, std::min(c.owed, block_.size() - skip), MSG_NOSIGNAL);
            if (n < 0) return errno == EAGAIN && want_write(fd, true);
            c.owed -= static_cast<std::size_t>(n);
        }
        return want_write(fd, false);
    }

    bool want_write(int fd, bool wanted) {
        connection& c = of(fd);
        if (c.wants_write == wanted) return true;
        c.wants_write = wanted;
        watch(EPOLL_CTL_MOD, fd, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN);
        return true;
    }

    void drop(int fd) {
        const auto next = static_cast<std::uint16_t>(of(fd).generation + 1);
        of(fd) = connection{};
        of(fd).generation = next;
        close(fd);  // leaves the epoll set as well
    }

    void watch(int operation, int fd, std::uint32_t events) {
        epoll_event event{};
        event.events = events | edge_;
        event.data.fd = fd;
        epoll_ctl(epoll_, operation, fd, &event);
    }

    connection& of(int fd) noexcept { return connections_[static_cast<std::size_t>(fd)]; }

    std::string block_;
    std::vector<connection> connections_;
    ceiling::delays later_;
    int epoll_ = -1;
    int listener_;
    std::uint32_t edge_ = 0;
    bool close_after_;
};

}  // namespace

int main(int argc, char** argv) try {
    const std::vector<std::string_view> words(argv + 1, argv + argc);
    const auto has = [&](std::string_view word) { return std::find(words.begin(), words.end(), word) != words.end(); };
    if (words.empty()) return fmt::print(stderr, "usage: ceiling_epoll PORT [edge] [close]\n"), 2;
    bench::allow_descriptors();
    server(std::atoi(argv[1]), has("edge"), has("close")).run();
} catch (const std::exception& e) {
    fmt::print(stderr, "ceiling_epoll: {}\n", e.what());
    return 1;
}
