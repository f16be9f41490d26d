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
constexpr std::chrono::milliseconds full_backlog_pause{5};

// Concurrent attempts to connect.
class connection_attempts {
public:
    explicit connection_attempts(event_loop& loop) noexcept : loop_(loop) {}

    // Returns false when the address is to be retried after a pause.
    [[nodiscard]] bool start(const endpoint& to);
    [[nodiscard]] bool has_pending() const noexcept { return pending_ > 0; }
    [[nodiscard]] bool is_connected() const noexcept { return static_cast<bool>(connected_); }
    [[nodiscard]] unique_fd release_socket() noexcept { return std::move(connected_); }
    [[nodiscard]] connect_error failure() const { return {error_, failures_}; }
    // Waits until an attempt ends, at most until `deadline`.
    [[nodiscard]] auto wait(instant deadline) { return sleep_reference{sleep_.emplace(loop_.timers(), deadline)}; }

private:
    // GCC 12 copies an awaiter that co_await gets by reference.
    struct sleep_reference {
        sleep_awaiter& sleeping;
        [[nodiscard]] bool await_ready() const noexcept { return sleeping.await_ready(); }
        template <class Promise>
        [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> caller) noexcept {
            return sleeping.await_suspend(caller);
        }
        void await_resume() const { sleeping.await_resume(); }
    };
    struct attempt final : poll_operation {
        attempt(connection_attempts& r, const endpoint& address, unique_fd s)
            : owner(r), to(address), fd(std::move(s)) {}
        ~attempt() { owner.loop_.io().cancel(*this); }
        void polled(int events) noexcept override { owner.on_attempt_done(*this, events); }
        connection_attempts& owner;
        endpoint to;
        unique_fd fd;
    };

    void on_attempt_done(attempt& a, int events) noexcept;
    void add_failure(const endpoint& to, int error);

    event_loop& loop_;
    std::vector<std::unique_ptr<attempt>> attempts_;
    std::optional<sleep_awaiter> sleep_;
    unique_fd connected_;
    std::string failures_;
    int pending_ = 0;
    int error_ = 0;
};

bool connection_attempts::start(const endpoint& to) {
    unique_fd fd(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return add_failure(to, errno), true;
    int on = 1;
    ::setsockopt(fd.value(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd.value(), static_cast<const sockaddr*>(to.address()), static_cast<socklen_t>(to.size())) == 0) {
        connected_ = std::move(fd);
        return true;
    }
    if (errno == EAGAIN) return false;
    if (errno != EINPROGRESS && errno != EINTR) return add_failure(to, errno), true;
    attempts_.push_back(std::make_unique<attempt>(*this, to, std::move(fd)));
    loop_.io().poll(*attempts_.back(), attempts_.back()->fd.value(), POLLOUT);
    ++pending_;
    return true;
}

void connection_attempts::on_attempt_done(attempt& a, int events) noexcept {
    --pending_;
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(a.fd.value(), SOL_SOCKET, SO_ERROR, &error, &size)) error = errno;
    if (error == 0 && (events & POLLERR)) error = EIO;
    if (error == 0 && !connected_) connected_ = std::move(a.fd);
    else if (error != 0) add_failure(a.to, error);
    if (sleep_) sleep_->wake();
}

void connection_attempts::add_failure(const endpoint& to, int error) {
    // std::system_error appends the last error.
    if (!failures_.empty()) failures_ += ": " + std::generic_category().message(error_) + "; ";
    error_ = error;
    failures_ += "cannot connect to " + to.text();
}

}  // namespace

task<unique_fd> connect(std::vector<endpoint> addresses, instant deadline) {
    event_loop& loop = event_loop::current();
    if (addresses.empty()) throw connect_error(EADDRNOTAVAIL, "no address to connect to");
    connection_attempts attempts(loop);
    for (std::size_t next = 0;;) {
        const bool started = next == addresses.size() || attempts.start(addresses[next]);
        if (started && next < addresses.size()) ++next;
        if (attempts.is_connected()) co_return attempts.release_socket();
        if (started && !attempts.has_pending()) {
            if (next == addresses.size()) throw attempts.failure();
            continue;
        }
        instant wake_at = deadline;
        if (!started) wake_at = std::min(deadline, from_now(full_backlog_pause));
        else if (next < addresses.size()) wake_at = std::min(deadline, from_now(connection_attempt_delay));
        co_await attempts.wait(wake_at);
        if (attempts.is_connected()) co_return attempts.release_socket();
        if (clock::now() >= deadline) throw timed_out();
    }
}

}  // namespace rondo::net
