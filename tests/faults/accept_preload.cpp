// SPDX-License-Identifier: Apache-2.0
// Loaded with LD_PRELOAD, simulates a kernel without memory for new connections: while the file named by ACCEPT_FAILS
// exists, every accept of the program fails with ENOMEM, the system call as well as io_uring's operation. Each failure
// appends a byte to the file. An accept that was submitted to io_uring earlier continues. WATCH_FAILS does the same for
// exclusive waits and waits for output in epoll, which fail with ENOSPC as at fs.epoll.max_user_watches.
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

// Replaces each accept that is about to be submitted by an operation without effect, with the error as its result.
void inject_errors(io_uring* ring) {
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

int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
    static auto* const next = real<int(int, int, int, epoll_event*)>("epoll_ctl");
    constexpr std::uint32_t for_output = EPOLLONESHOT | EPOLLOUT;
    const std::uint32_t events = operation == EPOLL_CTL_ADD ? event->events : 0;
    const bool affected = (events & EPOLLEXCLUSIVE) != 0 || (events & for_output) == for_output;
    if (!affected || !watch_fails()) return next(epoll, operation, fd, event);
    errno = ENOSPC;
    return -1;
}

int io_uring_submit(io_uring* ring) {
    static auto* const next = real<decltype(io_uring_submit)>("io_uring_submit");
    inject_errors(ring);
    return next(ring);
}

int io_uring_submit_and_wait(io_uring* ring, unsigned count) {
    static auto* const next = real<decltype(io_uring_submit_and_wait)>("io_uring_submit_and_wait");
    inject_errors(ring);
    return next(ring, count);
}

int io_uring_submit_and_get_events(io_uring* ring) {
    static auto* const next = real<decltype(io_uring_submit_and_get_events)>("io_uring_submit_and_get_events");
    inject_errors(ring);
    return next(ring);
}

int io_uring_submit_and_wait_timeout(io_uring* ring, io_uring_cqe** first, unsigned count, __kernel_timespec* limit,
                                     sigset_t* signals) {
    static auto* const next = real<decltype(io_uring_submit_and_wait_timeout)>("io_uring_submit_and_wait_timeout");
    inject_errors(ring);
    return next(ring, first, count, limit, signals);
}

}  // extern "C"
