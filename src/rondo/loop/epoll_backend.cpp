// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rondo/base/unique_fd.hpp>
#include <rondo/loop/backend.hpp>

namespace rondo {

namespace {

constexpr std::size_t receive_size = 64 * 1024;
constexpr int accepts_per_event = 64;
constexpr std::size_t events_per_turn = 512;

// The low bits of an event's pointer hold the type of its target.
enum class tag : std::uintptr_t { socket, accept, poll, watch };
constexpr std::uintptr_t tag_mask = 3;
constexpr unsigned tag_bits = 2;
constexpr unsigned descriptor_bits = 31;

void* tagged(void* p, tag t) {
    return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(p) | static_cast<std::uintptr_t>(t));
}

// The data of a watch's events is a serial number and the descriptor instead of a pointer: the kernel keeps reporting a
// closed descriptor when a duplicate of it is still open, also after the watch was destroyed.
void* watch_data(std::uintptr_t serial, int fd) {
    static_assert(sizeof(void*) == 8);
    std::uintptr_t number = serial << descriptor_bits | static_cast<std::uintptr_t>(fd);
    return tagged(reinterpret_cast<void*>(number << tag_bits), tag::watch);
}
int watched_descriptor(void* data) {
    constexpr std::uintptr_t mask = (std::uintptr_t{1} << descriptor_bits) - 1;
    return static_cast<int>(reinterpret_cast<std::uintptr_t>(data) >> tag_bits & mask);
}

std::uint32_t to_epoll(int events) { return (events & POLLIN ? EPOLLIN : 0u) | (events & POLLOUT ? EPOLLOUT : 0u); }
int to_poll(std::uint32_t events) {
    return (events & EPOLLIN ? POLLIN : 0) | (events & EPOLLOUT ? POLLOUT : 0) | (events & EPOLLERR ? POLLERR : 0) |
           (events & EPOLLHUP ? POLLHUP : 0);
}

// The C library's recv and send are cancellation points, which cost two extra locked instructions in a process with
// threads. Loop threads are never cancelled with pthread_cancel. ThreadSanitizer has to intercept the calls.
#if defined(__SANITIZE_THREAD__)
#define RONDO_PLAIN_CALLS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RONDO_PLAIN_CALLS 1
#endif
#endif

#ifndef RONDO_PLAIN_CALLS
ssize_t receive_nonblocking(int fd, char* to, std::size_t size) noexcept {
    return ::syscall(SYS_recvfrom, fd, to, size, MSG_DONTWAIT, nullptr, nullptr);
}
ssize_t send_nonblocking(int fd, const char* from, std::size_t size) noexcept {
    return ::syscall(SYS_sendto, fd, from, size, MSG_NOSIGNAL | MSG_DONTWAIT, nullptr, 0);
}
#else
ssize_t receive_nonblocking(int fd, char* to, std::size_t size) noexcept { return ::recv(fd, to, size, MSG_DONTWAIT); }
ssize_t send_nonblocking(int fd, const char* from, std::size_t size) noexcept {
    return ::send(fd, from, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}
#endif

[[noreturn]] void fail(const char* call) { throw std::system_error(errno, std::generic_category(), call); }

int checked(int result, const char* call) {
    if (result < 0) fail(call);
    return result;
}

}  // namespace

class epoll_backend final : public backend {
public:
    epoll_backend()
        : epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
          wake_(checked(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")),
          input_(std::make_unique_for_overwrite<char[]>(receive_size)) {
        control(EPOLL_CTL_ADD, wake_.value(), EPOLLIN | EPOLLET, nullptr);
    }

    std::string_view name() const noexcept override { return "epoll"; }

    void start_accepting(acceptor& a) override {
        set_nonblocking(a.fd_);
        add(a.fd_, EPOLLIN, tagged(&a, tag::accept));
        a.accepting_ = this;
    }
    void stop_accepting(acceptor& a) noexcept override {
        if (!a.accepting_) return;
        epoll_ctl(epoll_.value(), EPOLL_CTL_DEL, a.fd_, nullptr);
        drop_events(tagged(&a, tag::accept));
        a.accepting_ = nullptr;
    }

    // All calls on the socket use MSG_DONTWAIT, so it need not be non-blocking.
    void attach(stream_socket& s) override { add(s.fd_, watched_events(s), tagged(&s, tag::socket)); }
    void close(stream_socket& s) noexcept override {
        if (s.fd_ < 0) return;
        drop_events(tagged(&s, tag::socket));
        std::replace(pending_reads_.begin(), pending_reads_.end(), &s, static_cast<stream_socket*>(nullptr));
        ::close(s.fd_);
        s.fd_ = -1;
    }
    void request_input(stream_socket& s) noexcept override {
        s.input_requested_ = true;
        if (s.readable_) pending_reads_.push_back(&s);
    }
    void pause_input(stream_socket& s) noexcept override { s.input_requested_ = false; }

    std::ptrdiff_t send(stream_socket& s, const char* data, std::size_t size, void*) noexcept override {
        for (;;) {
            ssize_t n = send_nonblocking(s.fd_, data, size);
            if (n >= 0) return n;
            if (errno != EINTR) return -errno;
        }
    }
    void request_writable(stream_socket& s) noexcept override {
        if (s.watching_writable_) return;
        s.watching_writable_ = true;
        rearm(s);
    }

    void poll(poll_operation& op, int fd, int events) override {
        static_assert(exclusive == EPOLLEXCLUSIVE);
        std::uint32_t mask = (events & exclusive ? EPOLLEXCLUSIVE : EPOLLONESHOT) | to_epoll(events);
        add(fd, mask, tagged(&op, tag::poll));
        op.fd_ = fd;
    }
    void cancel(poll_operation& op) noexcept override {
        if (op.fd_ < 0) return;
        epoll_ctl(epoll_.value(), EPOLL_CTL_DEL, op.fd_, nullptr);
        drop_events(tagged(&op, tag::poll));
        op.fd_ = -1;
    }

    void watch(descriptor_watch& w, int fd, int events) override {
        if (w.fd_ >= 0) throw std::system_error(EEXIST, std::generic_category(), "watch");
        void* data = watch_data(++last_watch_, fd);
        add(fd, to_epoll(events), data);
        watches_.insert_or_assign(fd, &w);
        w.fd_ = fd;
        w.events_ = events;
        w.polling_ = data;
    }
    void change_watch(descriptor_watch& w, int events) override {
        if (find_watch(w.polling_) != &w) throw std::system_error(ENOENT, std::generic_category(), "change_watch");
        control(EPOLL_CTL_MOD, w.fd_, to_epoll(events), w.polling_);
        w.events_ = events;
    }
    void unwatch(descriptor_watch& w) noexcept override {
        if (w.fd_ < 0) return;
        // Otherwise the descriptor was closed, and its number belongs to something else.
        if (find_watch(w.polling_) == &w) {
            epoll_ctl(epoll_.value(), EPOLL_CTL_DEL, w.fd_, nullptr);
            watches_.erase(w.fd_);
        }
        w.fd_ = -1;
        w.polling_ = nullptr;
    }

    void turn(std::chrono::nanoseconds wait, turn_watcher& watcher) override {
        count_ = wait_for_events(pending_reads_.empty() ? wait : std::chrono::nanoseconds(0));
        watcher.on_wait_end();
        for (next_ = 0; next_ < count_;) {
            epoll_event& e = events_[next_++];
            if (!e.data.ptr) continue;
            watcher.on_event();
            handle(e.data.ptr, e.events);
        }
        count_ = next_ = 0;
        read_pending(watcher);
    }
    bool has_events() const noexcept override { return !pending_reads_.empty(); }
    int descriptor() const noexcept override { return epoll_.value(); }

    void wake() noexcept override {
        std::uint64_t one = 1;
        [[maybe_unused]] ssize_t n = ::write(wake_.value(), &one, sizeof one);
    }

    void abandon_after_fork() noexcept override {
        epoll_.reset();
        wake_.reset();
    }

private:
    void control(int operation, int fd, std::uint32_t events, void* data) {
        epoll_event e{};
        e.events = events;
        e.data.ptr = data;
        if (epoll_ctl(epoll_.value(), operation, fd, &e) < 0) fail("epoll_ctl");
    }
    void add(int fd, std::uint32_t events, void* data) {
        control(EPOLL_CTL_ADD, fd, events, data);
        // A watch of this number is left from a descriptor that was closed.
        if (!watches_.empty()) watches_.erase(fd);
    }
    static std::uint32_t watched_events(const stream_socket& s) noexcept {
        return EPOLLIN | EPOLLRDHUP | EPOLLET | (s.watching_writable_ ? EPOLLOUT : 0u);
    }
    void rearm(stream_socket& s) noexcept {
        epoll_event e{};
        e.events = watched_events(s);
        e.data.ptr = tagged(&s, tag::socket);
        epoll_ctl(epoll_.value(), EPOLL_CTL_MOD, s.fd_, &e);
    }
    static void set_nonblocking(int fd) {
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0) fail("fcntl");
        if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) fail("fcntl");
    }

    std::size_t wait_for_events(std::chrono::nanoseconds wait) {
        int timeout = -1;
        if (wait.count() >= 0) {
            auto ms = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
            timeout = static_cast<int>(std::min<std::int64_t>(ms, 1 << 30));
        }
        int n = epoll_wait(epoll_.value(), events_.data(), static_cast<int>(events_.size()), timeout);
        if (n < 0 && errno != EINTR) fail("epoll_wait");
        return n < 0 ? 0 : static_cast<std::size_t>(n);
    }

    // Drops the events of this turn whose target was closed.
    void drop_events(void* data) noexcept {
        for (std::size_t i = next_; i < count_; ++i)
            if (events_[i].data.ptr == data) events_[i].data.ptr = nullptr;
    }

    void handle(void* data, std::uint32_t events) noexcept {
        auto bits = reinterpret_cast<std::uintptr_t>(data);
        void* target = reinterpret_cast<void*>(bits & ~tag_mask);
        switch (static_cast<tag>(bits & tag_mask)) {
            case tag::socket: return handle_socket(*static_cast<stream_socket*>(target), events);
            case tag::accept: return accept_all(*static_cast<acceptor*>(target));
            case tag::poll: return handle_poll(*static_cast<poll_operation*>(target), events);
            case tag::watch: return handle_watch(data, events);
        }
    }

    void handle_socket(stream_socket& s, std::uint32_t events) noexcept {
        if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
            s.readable_ = true;
            if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) s.input_ended_ = true;
            if (events & (EPOLLHUP | EPOLLERR)) s.hung_up_ = true;
            if (s.input_requested_) receive(s);
            report_closed(s);
        }
        if ((events & EPOLLOUT) && s.fd_ >= 0 && s.watching_writable_) {
            s.watching_writable_ = false;
            rearm(s);
            s.writable();
        }
    }

    // Reports the end of input to an owner that is not reading, also when it arrived together with the last input. Each
    // state change of a socket reports all its states again.
    static void report_closed(stream_socket& s) noexcept {
        if (!s.input_ended_ || s.input_requested_ || s.fd_ < 0) return;
        if (s.hung_up_ ? s.hang_up_reported_ : s.end_reported_) return;
        s.end_reported_ = true;
        s.hang_up_reported_ = s.hung_up_;
        s.peer_closed(s.hung_up_, 0);
    }

    void receive(stream_socket& s) noexcept {
        ssize_t n = receive_nonblocking(s.fd_, input_.get(), receive_size);
        if (n > 0) {
            s.readable_ = s.input_ended_ || static_cast<std::size_t>(n) == receive_size;
            s.input_requested_ = false;
            return s.received(turn_, {input_.get(), static_cast<std::size_t>(n)});
        }
        int error = n == 0 ? 0 : errno;
        if (error == EAGAIN || error == EINTR) {
            s.readable_ = error == EINTR;
            if (s.readable_) pending_reads_.push_back(&s);
            return;
        }
        s.input_requested_ = false;
        s.readable_ = s.input_ended_ = s.end_reported_ = true;
        if (error) s.hung_up_ = s.hang_up_reported_ = true;
        s.receive_ended(error);
    }

    // Sockets with more than one buffer of input are served round-robin: one buffer each per turn of the loop.
    void read_pending(turn_watcher& watcher) noexcept {
        std::size_t due = pending_reads_.size();
        for (std::size_t i = 0; i < due && i < pending_reads_.size(); ++i) {
            stream_socket* s = std::exchange(pending_reads_[i], nullptr);
            if (!s || !s->input_requested_ || !s->readable_) continue;
            watcher.on_event();
            receive(*s);
            report_closed(*s);
        }
        pending_reads_.erase(pending_reads_.begin(), pending_reads_.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                                  due, pending_reads_.size())));
    }

    void accept_all(acceptor& a) noexcept {
        for (int i = 0; i < accepts_per_event && a.accepting_; ++i) {
            int fd = accept4(a.fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd >= 0) {
                a.accepted(fd);
                continue;
            }
            if (errno == EAGAIN) return;
            if (errno == EINTR || errno == ECONNABORTED) continue;
            return a.accept_failed(errno);
        }
    }

    void handle_poll(poll_operation& op, std::uint32_t events) noexcept {
        epoll_ctl(epoll_.value(), EPOLL_CTL_DEL, op.fd_, nullptr);
        op.fd_ = -1;
        op.polled(to_poll(events));
    }

    // Returns null when the watch with this data has ended or its descriptor was closed and reused.
    descriptor_watch* find_watch(void* data) const noexcept {
        auto found = watches_.find(watched_descriptor(data));
        return found != watches_.end() && found->second->polling_ == data ? found->second : nullptr;
    }
    void handle_watch(void* data, std::uint32_t events) noexcept {
        descriptor_watch* w = find_watch(data);
        if (!w) return;
        // The watched events may have changed in this turn.
        if (int ready = to_poll(events) & (w->events_ | POLLERR | POLLHUP)) w->ready(ready);
    }

    unique_fd epoll_;
    unique_fd wake_;
    std::unique_ptr<char[]> input_;
    std::array<epoll_event, events_per_turn> events_;
    std::size_t count_ = 0;
    std::size_t next_ = 0;
    std::vector<stream_socket*> pending_reads_;
    std::unordered_map<int, descriptor_watch*> watches_;  // by descriptor
    std::uintptr_t last_watch_ = 0;
    const loop_turn turn_;
};

std::unique_ptr<backend> make_epoll_backend() { return std::make_unique<epoll_backend>(); }

}  // namespace rondo
