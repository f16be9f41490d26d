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
constexpr auto time_for_others = 2ms;  // for other processes to accept a yielded connection
constexpr auto patience = 20ms;        // then this process accepts: the others may be stalled
constexpr auto failure_rest = 100ms;
constexpr auto failure_silence = 10s;

bool waits_somebody(int fd) noexcept {
    pollfd p{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&p, 1, 0) == 1;
}

}  // namespace

server::listener::listener(server& owner, net::listening_socket socket)
    : acceptor(socket.fd.value()), server_(owner), socket_(std::move(socket)), rest_(*this) {
    fcntl(fd(), F_SETFL, fcntl(fd(), F_GETFL) | O_NONBLOCK);
    start();
}

void server::listener::start() noexcept {
    try {
        way_ = server_.share_ && !server_.share_->alone() ? way::sharing : way::alone;
        if (way_ == way::alone) server_.loop_.io().start_accepting(*this);
        else wait_for_connections();
    } catch (const std::exception& e) {
        log::warning(fmt::format("{}: accept paused for 100 ms: {}", socket_.url, e.what()));
        way_ = way::resting;
        rest(failure_rest);
    }
}

void server::listener::halt() noexcept {
    rest_.disarm();
    if (way_ == way::alone) server_.loop_.io().stop_accepting(*this);
    if (way_ == way::sharing) server_.loop_.io().cancel(*this);
    polling_ = false;
    way_ = way::resting;
    left_since_ = instant::max();
}

void server::listener::stop() noexcept {
    if (!socket_.fd) return;
    halt();
    accept_waiting();
    if (!socket_.file.empty()) socket_.file.remove();
    socket_.fd.reset();
}

void server::listener::look() noexcept {
    if (!socket_.fd || way_ == way::resting || !server_.share_) return;
    if ((way_ == way::alone) == server_.share_->alone()) return take_what_waits();
    halt();
    start();
}

void server::listener::called() noexcept {
    if (way_ == way::sharing) take_what_waits();
}

// The kernel may have woken a process that cannot accept: a stopped one, or one that was killed but not torn down yet.
void server::listener::take_what_waits() noexcept {
    if (!socket_.fd || !waits_somebody(fd())) return;
    if (way_ == way::sharing) take_share();
    else accept_waiting();
}

void server::listener::rest(clock::duration d) noexcept { server_.loop_.timers().arm(rest_, clock::now() + d); }

void server::listener::rested() noexcept {
    if (way_ == way::sharing) take_share();
    else start();
}

void server::listener::wait_for_connections() noexcept {
    left_since_ = instant::max();
    if (polling_) return;
    try {
        server_.loop_.io().poll(*this, fd(), POLLIN | backend::one_of_many);
        polling_ = true;
    } catch (const std::system_error& e) {  // out of memory, or fs.epoll.max_user_watches exceeded
        accept_failed(e.code().value());
    }
}

void server::listener::polled(int) noexcept {
    polling_ = false;
    take_share();
}

void server::listener::take_share() noexcept {
    rest_.disarm();
    for (int i = 0; i < accepts_per_turn; ++i) {
        if (server_.share_->must_not(clock::now())) return leave_it_while_held();
        if (leaves_it()) return rest(time_for_others);
        int socket = accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket >= 0) server_.adopt(unique_fd(socket));
        else if (errno == EAGAIN) break;
        else if (errno != EINTR && errno != ECONNABORTED) return accept_failed(errno);
    }
    wait_for_connections();
}

void server::listener::leave_it_while_held() noexcept {
    if (!waits_somebody(fd())) return wait_for_connections();
    server_.share_->call_another(clock::now());
    rest(time_for_others);
}

bool server::listener::leaves_it() noexcept {
    instant now = clock::now();
    if (!server_.share_->has_enough(now)) return false;
    if (!waits_somebody(fd())) return false;
    server_.share_->call_another(now);
    if (left_since_ == instant::max()) left_since_ = now;
    return now - left_since_ < patience;
}

// The kernel has completed these handshakes: for the clients the connections are established.
void server::listener::accept_waiting() noexcept {
    for (;;) {
        int socket = accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket >= 0) server_.adopt(unique_fd(socket));
        else if (errno != EINTR && errno != ECONNABORTED) return;
    }
}

void server::listener::accepted(int fd) noexcept { server_.adopt(unique_fd(fd)); }

void server::listener::accept_failed(int error) noexcept {
    const instant now = clock::now();
    if (error != last_error_ || now >= tell_again_) {
        log::warning(fmt::format("{}: accept paused for 100 ms: {}{}", socket_.url,
                                 std::generic_category().message(error),
                                 error == EMFILE ? "; raise the limit of open files (ulimit -n)" : ""));
        last_error_ = error;
        tell_again_ = now + failure_silence;
    }
    halt();
    rest(failure_rest);
}

}  // namespace rondo::server
