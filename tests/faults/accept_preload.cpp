// SPDX-License-Identifier: Apache-2.0
// A kernel that has no memory for a new connection: while the file that ACCEPT_FAILS names is there, every accept of
// the program that this is loaded before (LD_PRELOAD) fails with ENOMEM, the system call as well as io_uring's. Each
// failure adds a byte to the file. An accept that io_uring was given before goes on. The same with WATCH_FAILS for
// epoll's waits for one of many and for output, which fail with ENOSPC as at fs.epoll.max_user_watches.
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <fcntl.h>
#include <liburing.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

bool fails(const char* name) {
    if (name == nullptr) return false;
    const int file = open(name, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (file < 0) return false;
    const bool counted = write(file, "x", 1) == 1;
    close(file);
    return counted;
}

bool accept_fails() {
    static const char* const name = std::getenv("ACCEPT_FAILS");
    return fails(name);
}
bool watch_fails() {
    static const char* const name = std::getenv("WATCH_FAILS");
    return fails(name);
}

template <class Function>
Function* real(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

// What is about to be submitted: an accept becomes an operation without effect whose result is given with it.
void spoil(io_uring* ring) {
    constexpr unsigned inject_result = 1;  // IORING_NOP_INJECT_RESULT, Linux 6.9
    for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; ++i) {
        io_uring_sqe& entry = ring->sq.sqes[i & *ring->sq.kring_mask];
        if (entry.opcode != IORING_OP_ACCEPT || !accept_fails()) continue;
        const auto user_data = entry.user_data;
        std::memset(&entry, 0, sizeof entry);
        entry.opcode = IORING_OP_NOP;
        entry.user_data = user_data;
        entry.rw_flags = inject_result;
        entry.len = static_cast<unsigned>(-ENOMEM);
    }
}

}  // namespace

extern "C" {

int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
    static auto* const next = real<decltype(accept4)>("accept4");
    if (!accept_fails()) return next(fd, address, size, flags);
    errno = ENOMEM;
    return -1;
}

int epoll_ctl(int epoll, int what, int fd, epoll_event* event) noexcept {
    static auto* const next = real<int(int, int, int, epoll_event*)>("epoll_ctl");
    constexpr std::uint32_t for_output = EPOLLONESHOT | EPOLLOUT;
    const std::uint32_t events = what == EPOLL_CTL_ADD ? event->events : 0;
    const bool meant = (events & EPOLLEXCLUSIVE) != 0 || (events & for_output) == for_output;
    if (!meant || !watch_fails()) return next(epoll, what, fd, event);
    errno = ENOSPC;
    return -1;
}

int io_uring_submit(io_uring* ring) {
    static auto* const next = real<decltype(io_uring_submit)>("io_uring_submit");
    spoil(ring);
    return next(ring);
}

int io_uring_submit_and_wait(io_uring* ring, unsigned count) {
    static auto* const next = real<decltype(io_uring_submit_and_wait)>("io_uring_submit_and_wait");
    spoil(ring);
    return next(ring, count);
}

int io_uring_submit_and_get_events(io_uring* ring) {
    static auto* const next = real<decltype(io_uring_submit_and_get_events)>("io_uring_submit_and_get_events");
    spoil(ring);
    return next(ring);
}

int io_uring_submit_and_wait_timeout(io_uring* ring, io_uring_cqe** first, unsigned count, __kernel_timespec* limit,
                                     sigset_t* signals) {
    static auto* const next = real<decltype(io_uring_submit_and_wait_timeout)>("io_uring_submit_and_wait_timeout");
    spoil(ring);
    return next(ring, first, count, limit, signals);
}

}  // extern "C"
