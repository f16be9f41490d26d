// SPDX-License-Identifier: Apache-2.0
#include <rondo/net/connect.hpp>

#include <algorithm>
#include <cerrno>
#include <coroutine>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <rondo/loop/loop.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::net {

namespace {

// A unix socket whose backlog is full refuses at once with EAGAIN instead of queueing the connection.
constexpr std::chrono::milliseconds full_queue_pause{5};

// Concurrent attempts to connect.
class race {
public:
    explicit race(event_loop& loop) noexcept : loop_(loop) {}

    // Returns false when the address is to be retried after a pause.
    [[nodiscard]] bool start(const endpoint& to);
    [[nodiscard]] bool pending() const noexcept { return pending_ > 0; }
    [[nodiscard]] bool won() const noexcept { return static_cast<bool>(winner_); }
    [[nodiscard]] unique_fd take() noexcept { return std::move(winner_); }
    [[nodiscard]] connect_error failure() const { return {error_, failures_}; }
    // Waits until an attempt ends, at most until `deadline`.
    [[nodiscard]] auto wait(instant deadline) { return waiting{sleeping_.emplace(loop_.timers(), deadline)}; }

private:
    // GCC 12 copies an awaiter that co_await gets by reference.
    struct waiting {
        sleep_awaiter& sleeping;
        [[nodiscard]] bool await_ready() const noexcept { return sleeping.await_ready(); }
        template <class Promise>
        [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
            return sleeping.await_suspend(caller);
        }
        void await_resume() const { sleeping.await_resume(); }
    };
    struct attempt final : poll_operation {
        attempt(race& r, const endpoint& address, unique_fd s) : owner(r), to(address), fd(std::move(s)) {}
        ~attempt() { owner.loop_.io().cancel(*this); }
        void polled(int events) noexcept override { owner.ended(*this, events); }
        race& owner;
        endpoint to;
        unique_fd fd;
    };

    void ended(attempt& a, int events) noexcept;
    void failed(const endpoint& to, int error);

    event_loop& loop_;
    std::vector<std::unique_ptr<attempt>> attempts_;
    std::optional<sleep_awaiter> sleeping_;
    unique_fd winner_;
    std::string failures_;
    int pending_ = 0;
    int error_ = 0;
};

bool race::start(const endpoint& to) {
    unique_fd fd(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return failed(to, errno), true;
    int on = 1;
    ::setsockopt(fd.value(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd.value(), static_cast<const sockaddr*>(to.address()), static_cast<socklen_t>(to.size())) == 0) {
        winner_ = std::move(fd);
        return true;
    }
    if (errno == EAGAIN) return false;
    if (errno != EINPROGRESS && errno != EINTR) return failed(to, errno), true;
    attempts_.push_back(std::make_unique<attempt>(*this, to, std::move(fd)));
    loop_.io().poll(*attempts_.back(), attempts_.back()->fd.value(), POLLOUT);
    ++pending_;
    return true;
}

void race::ended(attempt& a, int events) noexcept {
    --pending_;
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(a.fd.value(), SOL_SOCKET, SO_ERROR, &error, &size)) error = errno;
    if (error == 0 && (events & POLLERR)) error = EIO;
    if (error == 0 && !winner_) winner_ = std::move(a.fd);
    else if (error != 0) failed(a.to, error);
    if (sleeping_) sleeping_->wake();
}

void race::failed(const endpoint& to, int error) {
    // std::system_error appends the last error.
    if (!failures_.empty()) failures_ += ": " + std::generic_category().message(error_) + "; ";
    error_ = error;
    failures_ += "cannot connect to " + to.text();
}

}  // namespace

task<unique_fd> connect(std::vector<endpoint> addresses, instant deadline) {
    event_loop& loop = event_loop::current();
    if (addresses.empty()) throw connect_error(EADDRNOTAVAIL, "no address to connect to");
    race attempts(loop);
    for (std::size_t next = 0;;) {
        const bool started = next == addresses.size() || attempts.start(addresses[next]);
        if (started && next < addresses.size()) ++next;
        if (attempts.won()) co_return attempts.take();
        if (started && !attempts.pending()) {
            if (next == addresses.size()) throw attempts.failure();
            continue;
        }
        instant wake_at = deadline;
        if (!started) wake_at = std::min(deadline, from_now(full_queue_pause));
        else if (next < addresses.size()) wake_at = std::min(deadline, from_now(connect_stagger));
        co_await attempts.wait(wake_at);
        if (attempts.won()) co_return attempts.take();
        if (clock::now() >= deadline) throw timed_out();
    }
}

}  // namespace rondo::net
