// SPDX-License-Identifier: Apache-2.0
// The classic server, for comparison: blocking sockets and one thread for each connection, so that many requests can
// wait at once. As simple as such servers usually are, with the default stack size of a thread.
//
//   thread_per_request PORT      GET / is answered at once, GET /wait after 1 s, GET /slow?ms=N after N ms
#include <chrono>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

#include <fmt/core.h>

#include "../sockets.hpp"

namespace {

constexpr std::string_view response =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";

std::chrono::milliseconds delay_of(std::string_view path) {
    constexpr std::string_view slow = "/slow?ms=";
    if (path.starts_with(slow)) return std::chrono::milliseconds(std::atoi(path.data() + slow.size()));
    return std::chrono::milliseconds(path == "/wait" ? 1000 : 0);
}

bool send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

/// Reads requests without a body and answers them one after another until the client closes the connection.
void serve(int fd) {
    std::string received;
    char buffer[4096];
    for (;;) {
        const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
        if (n <= 0) break;
        received.append(buffer, static_cast<std::size_t>(n));
        for (std::size_t end; (end = received.find("\r\n\r\n")) != received.npos; received.erase(0, end + 4)) {
            const std::string_view line(received.data(), received.find("\r\n"));
            const std::size_t begin = line.find(' ') + 1;
            const std::string path(line.substr(begin, line.find(' ', begin) - begin));
            std::this_thread::sleep_for(delay_of(path));
            if (!send_all(fd, response)) break;
        }
    }
    close(fd);
}

[[noreturn]] void accept_forever(int listener) {
    for (;;) {
        const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) continue;
        try {
            std::thread(serve, fd).detach();
        } catch (const std::system_error& e) {
            fmt::print(stderr, "thread_per_request: cannot create a thread: {}\n", e.what());
            close(fd);
        }
    }
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc != 2) return fmt::print(stderr, "usage: thread_per_request PORT\n"), 2;
    bench::raise_descriptor_limit();
    accept_forever(bench::listen_on(std::atoi(argv[1]), 0));
} catch (const std::exception& e) {
    fmt::print(stderr, "thread_per_request: {}\n", e.what());
    return 1;
}
