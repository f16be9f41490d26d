// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/isolated/watchdog.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <exception>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rondo/base/log.hpp>

namespace rondo::detail {

namespace {

using std::chrono_literals::operator""ms;

constexpr int exit_late = 1;
constexpr auto longest_silence = 500ms;
constexpr int handled[] = {SIGTERM, SIGINT, SIGQUIT, SIGUSR1};

std::atomic<int> signals_to = -1;

extern "C" void note_signal(int signal) {
    const int error = errno;
    const char byte = static_cast<char>(signal);
    [[maybe_unused]] const ssize_t n = ::write(signals_to.load(std::memory_order_relaxed), &byte, 1);
    errno = error;
}

std::int64_t processor_time() noexcept {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

void ring(int eventfd) noexcept { ::eventfd_write(eventfd, 1); }

void quiet(int eventfd) noexcept {
    eventfd_t count = 0;
    ::eventfd_read(eventfd, &count);
}

unique_fd make_event() {
    unique_fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd) throw std::system_error(errno, std::generic_category(), "eventfd");
    return fd;
}

}  // namespace

compute_watch::compute_watch(options o) : options_(std::move(o)), asked_to_end_(make_event()), news_(make_event()) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK)) throw std::system_error(errno, std::generic_category(), "pipe");
    signals_[0].reset(ends[0]);
    signals_[1].reset(ends[1]);
    signals_to = ends[1];
    struct sigaction action{};
    action.sa_handler = &note_signal;
    action.sa_flags = SA_RESTART;
    for (const int signal : handled) ::sigaction(signal, &action, nullptr);
    tell_life();  // the first heartbeat precedes the ready notification
    thread_ = named_thread("rondo-watch", [this] { run(); });
}

compute_watch::~compute_watch() {
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
    }
    ring(news_.value());
    thread_.join();
    // The process is about to end anyway.
    for (const int signal : handled) std::signal(signal, SIG_IGN);
}

void compute_watch::begin(int connection, instant deadline, cancel_source& cancel, std::string description) {
    {
        const std::lock_guard lock(mutex_);
        job_ = {connection, deadline, &cancel, std::move(description), false, false};
        cpu_before_ = processor_time();
        if (options_.figures != nullptr) options_.figures->begin_job(clock::now());
        tell_life();
    }
    ring(news_.value());
}

void compute_watch::answers(instant deadline) {
    const std::lock_guard lock(mutex_);
    job_.deadline = deadline;
    tell_life();
}

void compute_watch::end() noexcept {
    const std::lock_guard lock(mutex_);
    count_end();
    job_.of = nullptr;
    job_.connection = -1;
    job_.deadline = instant::max();
    tell_life();
}

void compute_watch::count_end() noexcept {
    if (options_.figures != nullptr) options_.figures->end_job(clock::now(), processor_time() - cpu_before_);
}

void compute_watch::tell_life() {
    if (!options_.lives_until) return;
    const bool has_deadline = job_.of != nullptr && job_.deadline != instant::max();
    options_.lives_until(has_deadline ? std::max(clock::now(), job_.deadline) : clock::now());
}

void compute_watch::run() {
    for (;;) {
        turn();
        const std::lock_guard lock(mutex_);
        if (over_) return;
    }
}

void compute_watch::turn() {
    int connection = -1;
    {
        const std::lock_guard lock(mutex_);
        if (!job_.gone) connection = job_.connection;
    }
    pollfd fds[] = {{signals_[0].value(), POLLIN, 0}, {news_.value(), POLLIN, 0}, {connection, POLLRDHUP, 0}};
    ::poll(fds, 3, time_left());
    if (fds[1].revents != 0) quiet(news_.value());
    if (fds[0].revents != 0) take_signals();
    if (fds[2].revents != 0) peer_gone(connection);
    look_at_time();
    const std::lock_guard lock(mutex_);
    tell_life();
}

int compute_watch::time_left() {
    const std::lock_guard lock(mutex_);
    const instant soon = clock::now() + longest_silence;
    const instant until = job_.deadline == instant::max() ? soon : job_.late ? job_.deadline + grace : job_.deadline;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::min(until, soon) - clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

void compute_watch::look_at_time() {
    const std::lock_guard lock(mutex_);
    if (job_.of == nullptr || clock::now() < job_.deadline) return;
    if (!std::exchange(job_.late, true)) job_.of->announce(cancel_reason::deadline);
    if (clock::now() < job_.deadline + grace) return;
    log::error(job_.what + ": timed out; ending the process");
    count_end();
    leave(exit_late);
}

// By now another job may have the same descriptor, so poll it again.
void compute_watch::peer_gone(int connection) {
    const std::lock_guard lock(mutex_);
    if (job_.of == nullptr || job_.connection != connection) return;
    pollfd now{connection, POLLRDHUP, 0};
    if (::poll(&now, 1, 0) < 1) return;
    job_.gone = true;
    job_.of->announce(cancel_reason::disconnected);
}

void compute_watch::take_signals() {
    char signal = 0;
    while (::read(signals_[0].value(), &signal, 1) == 1) {
        if (signal == SIGUSR1) {
            try {
                log::reopen();
            } catch (const std::exception& e) {
                log::error(e.what());
            }
            continue;
        }
        if (options_.ending) options_.ending();
        if (signal != SIGTERM && running()) {
            if (options_.figures != nullptr) options_.figures->end();
            leave(0);
        }
        ring(asked_to_end_.value());
    }
}

void compute_watch::leave(int status) {
    log::flush();
    ::_exit(status);
}

bool compute_watch::running() {
    const std::lock_guard lock(mutex_);
    return job_.of != nullptr;
}

}  // namespace rondo::detail
