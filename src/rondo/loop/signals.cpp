// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/signals.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

#include <rondo/base/log.hpp>

namespace rondo {

namespace {

// What the handler of a signal needs. It may still run on another thread while its watcher is destroyed.
struct signal_route {
    std::atomic<pid_t> process{0};     // the one with the watcher: forked children inherit the handler
    std::atomic<int> writer{-1};       // of the watcher's pipe
    std::atomic<bool> in_pipe{false};  // each signal is there at most once, so the pipe is never full
    std::atomic<int> running{0};       // handlers that use the pipe
};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);
constinit std::array<signal_route, NSIG> signal_routes;

signal_route& route_of(int signal) noexcept { return signal_routes[static_cast<std::size_t>(signal)]; }

void set_action(int signal, void (*handler)(int)) noexcept {
    struct sigaction action{};
    action.sa_handler = handler;
    sigaction(signal, &action, nullptr);
}

void write_into_pipe(int signal) noexcept {
    signal_route& route = route_of(signal);
    ++route.running;
    const int writer = route.writer.load();
    if (writer >= 0 && !route.in_pipe.exchange(true)) {
        const auto number = static_cast<unsigned char>(signal);
        [[maybe_unused]] ssize_t n = ::write(writer, &number, 1);
    }
    --route.running;
}

void handle_watched_signal(int signal) {
    const int saved = errno;
    if (route_of(signal).process.load() == getpid()) {
        write_into_pipe(signal);
    } else {
        set_action(signal, SIG_DFL);
        raise(signal);  // taken when this handler returns
    }
    errno = saved;
}

}  // namespace

void signal_watcher::handlers::install(int signal, int writer) {
    signal_route& route = route_of(signal);
    // A handler that ran in the parent at the time of the fork does not end here.
    if (route.process.exchange(getpid()) != getpid()) route.running = 0;
    route.in_pipe = false;
    route.writer = writer;
    struct sigaction action{};
    action.sa_handler = handle_watched_signal;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    replaced_.push_back({.signal = signal, .action = {}});
    if (sigaction(signal, &action, &replaced_.back().action) < 0)
        throw std::system_error(errno, std::generic_category(), "sigaction");
}

signal_watcher::handlers::~handlers() {
    for (const auto& [signal, action] : replaced_) {
        signal_route& route = route_of(signal);
        route.writer = -1;
        // This discards the signal if it is pending: the previous action could end the process.
        set_action(signal, SIG_IGN);
        sigaction(signal, &action, nullptr);
        while (route.process == getpid() && route.running > 0) std::this_thread::yield();
    }
}

signal_watcher::signal_watcher(event_loop& loop, std::initializer_list<int> signals, function f)
    : loop_(loop), function_(std::move(f)) {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) throw std::system_error(errno, std::generic_category(), "pipe2");
    reader_.reset(ends[0]);
    writer_.reset(ends[1]);
    sigset_t mask;
    sigset_t before;
    sigemptyset(&mask);
    sigemptyset(&blocked_);
    pthread_sigmask(SIG_BLOCK, nullptr, &before);
    for (int s : signals) {
        sigaddset(&mask, s);
        if (sigismember(&before, s)) sigaddset(&blocked_, s);
        handlers_.install(s, writer_.value());
    }
    arm();
    pthread_sigmask(SIG_UNBLOCK, &mask, nullptr);
}

signal_watcher::~signal_watcher() {
    loop_.io().cancel(*this);
    pthread_sigmask(SIG_BLOCK, &blocked_, nullptr);
}

void signal_watcher::arm() { loop_.io().poll(*this, reader_.value(), POLLIN); }

int signal_watcher::next() noexcept {
    unsigned char number = 0;
    if (::read(reader_.value(), &number, 1) != 1) return 0;
    route_of(number).in_pipe = false;  // before the call: the signal may arrive again during it
    return number;
}

void signal_watcher::polled(int) noexcept {
    try {
        arm();
        while (int signal = next()) function_(signal);
    } catch (const std::exception& e) {
        log::error(std::string("signal handler failed: ") + e.what());
    }
}

}  // namespace rondo
