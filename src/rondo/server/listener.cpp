// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/listener.hpp>

#include <cerrno>
#include <exception>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rondo/base/log.hpp>

namespace rondo::server {

using namespace std::chrono_literals;

namespace {

constexpr int accepts_per_turn = 16;
constexpr auto yield_delay = 2ms;      // for other processes to accept a yielded connection
constexpr auto max_yield_time = 20ms;  // then this process accepts: the others may be stalled
constexpr auto accept_retry_delay = 100ms;
constexpr auto log_repeat_interval = 10s;

bool has_pending(int fd) noexcept {
    pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&p, 1, 0) == 1;
}

}  // namespace

server::listener::listener(server& owner, net::listening_socket socket)
    : acceptor(socket.fd.value()), server_(owner), socket_(std::move(socket)), pause_timer_(*this) {
    fcntl(fd(), F_SETFL, fcntl(fd(), F_GETFL) | O_NONBLOCK);
    start();
}

void server::listener::start() noexcept {
    try {
        mode_ = server_.balancer_ && !server_.balancer_->is_alone() ? mode::shared : mode::alone;
        if (mode_ == mode::alone) server_.loop_.io().start_accepting(*this);
        else wait_for_connections();
    } catch (const std::exception& e) {
        log::warning(fmt::format("{}: accept paused for 100 ms: {}", socket_.url, e.what()));
        mode_ = mode::paused;
        pause_for(accept_retry_delay);
    }
}

void server::listener::halt() noexcept {
    pause_timer_.disarm();
    if (mode_ == mode::alone) server_.loop_.io().stop_accepting(*this);
    if (mode_ == mode::shared) server_.loop_.io().cancel(*this);
    polling_ = false;
    mode_ = mode::paused;
    yielding_since_ = instant::max();
}

void server::listener::stop() noexcept {
    if (!socket_.fd) return;
    halt();
    accept_all();
    if (!socket_.file.empty()) socket_.file.remove();
    socket_.fd.reset();
}

void server::listener::abandon() noexcept {
    if (socket_.fd) ::close(socket_.fd.value());
}

void server::listener::on_sample() noexcept {
    if (!socket_.fd || mode_ == mode::paused || !server_.balancer_) return;
    if ((mode_ == mode::alone) == server_.balancer_->is_alone()) return accept_pending();
    halt();
    start();
}

void server::listener::on_wakeup() noexcept {
    if (mode_ == mode::shared) accept_pending();
}

// The kernel may have woken a process that cannot accept: a stopped one, or one that was killed but not torn down yet.
void server::listener::accept_pending() noexcept {
    if (!socket_.fd || !has_pending(fd())) return;
    if (mode_ == mode::shared) accept_share();
    else accept_all();
}

void server::listener::pause_for(clock::duration d) noexcept {
    server_.loop_.timers().arm(pause_timer_, clock::now() + d);
}

void server::listener::on_pause_end() noexcept {
    if (mode_ == mode::shared) accept_share();
    else start();
}

void server::listener::wait_for_connections() noexcept {
    yielding_since_ = instant::max();
    if (polling_) return;
    try {
        server_.loop_.io().poll(*this, fd(), POLLIN | backend::exclusive);
        polling_ = true;
    } catch (const std::system_error& e) {  // out of memory, or fs.epoll.max_user_watches exceeded
        accept_failed(e.code().value());
    }
}

void server::listener::polled(int) noexcept {
    polling_ = false;
    accept_share();
}

void server::listener::accept_share() noexcept {
    pause_timer_.disarm();
    for (int i = 0; i < accepts_per_turn; ++i) {
        if (server_.balancer_->is_blocked(clock::now())) return skip_while_stalled();
        if (yields()) return pause_for(yield_delay);
        int socket = accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket >= 0) server_.add_connection(unique_fd(socket));
        else if (errno == EAGAIN) break;
        else if (errno != EINTR && errno != ECONNABORTED) return accept_failed(errno);
    }
    wait_for_connections();
}

void server::listener::skip_while_stalled() noexcept {
    if (!has_pending(fd())) return wait_for_connections();
    server_.balancer_->wake_next(clock::now());
    pause_for(yield_delay);
}

bool server::listener::yields() noexcept {
    instant now = clock::now();
    if (!server_.balancer_->has_fair_share(now)) return false;
    if (!has_pending(fd())) return false;
    server_.balancer_->wake_next(now);
    if (yielding_since_ == instant::max()) yielding_since_ = now;
    return now - yielding_since_ < max_yield_time;
}

// The kernel has completed these handshakes: for the clients the connections are established.
void server::listener::accept_all() noexcept {
    for (;;) {
        int socket = accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket >= 0) server_.add_connection(unique_fd(socket));
        else if (errno != EINTR && errno != ECONNABORTED) return;
    }
}

void server::listener::accepted(int fd) noexcept { server_.add_connection(unique_fd(fd)); }

void server::listener::accept_failed(int error) noexcept {
    const instant now = clock::now();
    if (error != last_error_ || now >= next_log_) {
        log::warning(fmt::format("{}: accept paused for 100 ms: {}{}", socket_.url,
                                 std::generic_category().message(error),
                                 error == EMFILE ? "; raise the limit of open files (ulimit -n)" : ""));
        last_error_ = error;
        next_log_ = now + log_repeat_interval;
    }
    halt();
    pause_for(accept_retry_delay);
}

}  // namespace rondo::server
