// SPDX-License-Identifier: Apache-2.0
// Measures the basic steps of an event loop on this machine, in nanoseconds: the best of five rounds.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <algorithm>
#include <exception>
#include <string_view>

#include <fmt/core.h>

#include "sockets.hpp"
#include "uring.hpp"

namespace {

template <class F>
void measure(std::string_view name, unsigned iterations, F f) {
    double best = 1e18;
    for (int round = 0; round < 5; ++round) {
        const std::uint64_t begin = bench::now_ns();
        for (unsigned i = 0; i < iterations; ++i) f();
        best = std::min(best, static_cast<double>(bench::now_ns() - begin) / iterations);
    }
    fmt::print("{:<58} {:8.0f} ns\n", name, best);
}

// Ignores the result of a call that is only timed.
void ignore(long) {}

struct connected_pair {
    int listener, client, server;
    sockaddr_in address;
};

connected_pair tcp_pair() {
    connected_pair pair{};
    pair.listener = bench::listen_on(0, 0);
    socklen_t length = sizeof pair.address;
    auto* address = reinterpret_cast<sockaddr*>(&pair.address);
    bench::checked(getsockname(pair.listener, address, &length), "getsockname");
    pair.client = bench::checked(socket(AF_INET, SOCK_STREAM, 0), "socket");
    bench::checked(connect(pair.client, address, length), "connect");
    pair.server = bench::checked(accept(pair.listener, nullptr, nullptr), "accept");
    return pair;
}

void clocks_and_events() {
    timespec t{};
    measure("clock_gettime(MONOTONIC)", 1'000'000, [&] { clock_gettime(CLOCK_MONOTONIC, &t); });
    measure("clock_gettime(MONOTONIC_COARSE)", 1'000'000, [&] { clock_gettime(CLOCK_MONOTONIC_COARSE, &t); });
    measure("null system call (getppid)", 1'000'000, [] { ignore(syscall(SYS_getppid)); });
    const int event = bench::checked(eventfd(0, EFD_NONBLOCK), "eventfd");
    const int epoll = bench::checked(epoll_create1(0), "epoll_create1");
    std::uint64_t increment = 1, value = 0;
    measure("eventfd write + read", 300'000, [&] {
        ignore(write(event, &increment, sizeof increment));
        ignore(read(event, &value, sizeof value));
    });
    epoll_event interest{}, ready[8];
    interest.events = EPOLLIN;
    measure("epoll_wait, nothing ready, timeout 0", 300'000, [&] { epoll_wait(epoll, ready, 8, 0); });
    measure("epoll_ctl add + del", 300'000, [&] {
        epoll_ctl(epoll, EPOLL_CTL_ADD, event, &interest);
        epoll_ctl(epoll, EPOLL_CTL_DEL, event, &interest);
    });
}

void sockets() {
    char b[128] = {};
    int local[2];
    bench::checked(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, local), "socketpair");
    measure("recv on an empty unix socket (EAGAIN)", 300'000, [&] { ignore(recv(local[0], b, sizeof b, 0)); });
    measure("unix socket: send 100 + recv 100, one thread", 300'000, [&] {
        ignore(send(local[0], b, 100, 0));
        ignore(recv(local[1], b, sizeof b, 0));
    });
    const connected_pair tcp = tcp_pair();
    const int c = tcp.client, d = tcp.server;
    measure("TCP loopback: send 100 + recv 100, one thread", 300'000, [&] {
        ignore(send(c, b, 100, 0));
        ignore(recv(d, b, sizeof b, 0));
    });
    iovec parts[2] = {{b, 80}, {b + 80, 20}};
    measure("TCP loopback: writev 80+20 + recv 100", 300'000, [&] {
        ignore(writev(c, parts, 2));
        ignore(recv(d, b, sizeof b, 0));
    });
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    measure("TCP loopback: sendmsg 80+20 + recv 100", 300'000, [&] {
        ignore(sendmsg(c, &message, 0));
        ignore(recv(d, b, sizeof b, 0));
    });
    measure("TCP loopback: send 100 + recv 100 + recv EAGAIN", 300'000, [&] {
        ignore(send(c, b, 100, 0));
        ignore(recv(d, b, sizeof b, 0));
        ignore(recv(d, b, sizeof b, MSG_DONTWAIT));
    });
    measure("TCP loopback: connect + accept + close x2", 3000, [&] {
        const int x = socket(AF_INET, SOCK_STREAM, 0);
        bench::checked(connect(x, reinterpret_cast<const sockaddr*>(&tcp.address), sizeof tcp.address), "connect");
        const int y = accept(tcp.listener, nullptr, nullptr);
        const linger reset{1, 0};
        setsockopt(x, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(x);
        close(y);
    });
}

void rings() {
    for (const unsigned flags : {0U, bench::uring::tuned}) {
        bench::uring ring(256, 1024, 8, 64, flags);
        const std::string_view suffix = flags ? ", DEFER_TASKRUN" : "";
        measure(fmt::format("io_uring nop: submit and wait{}", suffix), 300'000, [&] {
            io_uring_prep_nop(ring.get_sqe());
            ring.run_once(nullptr, [](const io_uring_cqe&) {});
        });
        unsigned n = 0;
        measure(fmt::format("io_uring nop in a batch of 64, each{}", suffix), 320'000, [&] {
            io_uring_prep_nop(ring.get_sqe());
            if (++n % 64 == 0) ring.run_once(nullptr, [](const io_uring_cqe&) {});
        });
    }
}

void memory() {
    constexpr std::size_t pages = 100'000, size = 4096;
    void* m = mmap(nullptr, pages * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m == MAP_FAILED) return;
    madvise(m, pages * size, MADV_NOHUGEPAGE);
    char* next = static_cast<char*>(m);
    measure("page fault: touch a fresh anonymous page", pages / 5, [&] {
        *next = 1;
        next += size;
    });
}

}  // namespace

int main() try {
    clocks_and_events();
    sockets();
    rings();
    memory();
} catch (const std::exception& e) {
    fmt::print(stderr, "syscall_cost: {}\n", e.what());
    return 1;
}
