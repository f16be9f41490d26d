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

constexpr int timeout_exit_status = 1;
constexpr auto heartbeat_interval = 500ms;
constexpr int handled_signals[] = {SIGTERM, SIGINT, SIGQUIT, SIGUSR1};

std::atomic<int> signal_pipe_fd = -1;

extern "C" void forward_signal(int signal) {
    const int error = errno;
    const char byte = static_cast<char>(signal);
    [[maybe_unused]] const ssize_t n = ::write(signal_pipe_fd.load(std::memory_order_relaxed), &byte, 1);
    errno = error;
}

std::int64_t process_cpu_time() noexcept {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

void signal_eventfd(int eventfd) noexcept { ::eventfd_write(eventfd, 1); }

void clear_eventfd(int eventfd) noexcept {
    eventfd_t count = 0;
    ::eventfd_read(eventfd, &count);
}

unique_fd make_eventfd() {
    unique_fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd) throw std::system_error(errno, std::generic_category(), "eventfd");
    return fd;
}

}  // namespace

compute_watchdog::compute_watchdog(options o)
    : options_(std::move(o)), stop_event_(make_eventfd()), wakeup_(make_eventfd()) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK)) throw std::system_error(errno, std::generic_category(), "pipe");
    signal_pipe_[0].reset(ends[0]);
    signal_pipe_[1].reset(ends[1]);
    signal_pipe_fd = ends[1];
    struct sigaction action{};
    action.sa_handler = &forward_signal;
    action.sa_flags = SA_RESTART;
    for (const int signal : handled_signals) ::sigaction(signal, &action, nullptr);
    send_heartbeat();  // the first heartbeat precedes the ready notification
    thread_ = named_thread("rondo-watchdog", [this] { run(); });
}

compute_watchdog::~compute_watchdog() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    signal_eventfd(wakeup_.value());
    thread_.join();
    // The process is about to end anyway.
    for (const int signal : handled_signals) std::signal(signal, SIG_IGN);
}

void compute_watchdog::start_job(int connection, instant deadline, cancel_source& cancel, std::string description) {
    {
        const std::lock_guard lock(mutex_);
        job_ = {connection, deadline, &cancel, std::move(description), false, false};
        cpu_at_start_ = process_cpu_time();
        if (options_.job_stats != nullptr) options_.job_stats->start_job(clock::now());
        send_heartbeat();
    }
    signal_eventfd(wakeup_.value());
}

void compute_watchdog::extend_deadline(instant deadline) {
    const std::lock_guard lock(mutex_);
    job_.deadline = deadline;
    send_heartbeat();
}

void compute_watchdog::end_job() noexcept {
    const std::lock_guard lock(mutex_);
    record_job_end();
    job_.cancel = nullptr;
    job_.connection = -1;
    job_.deadline = instant::max();
    send_heartbeat();
}

void compute_watchdog::record_job_end() noexcept {
    if (options_.job_stats != nullptr) options_.job_stats->finish_job(clock::now(), process_cpu_time() - cpu_at_start_);
}

void compute_watchdog::send_heartbeat() {
    if (!options_.on_heartbeat) return;
    const bool has_deadline = job_.cancel != nullptr && job_.deadline != instant::max();
    options_.on_heartbeat(has_deadline ? std::max(clock::now(), job_.deadline) : clock::now());
}

void compute_watchdog::run() {
    for (;;) {
        poll_once();
        const std::lock_guard lock(mutex_);
        if (stopping_) return;
    }
}

void compute_watchdog::poll_once() {
    int connection = -1;
    {
        const std::lock_guard lock(mutex_);
        if (!job_.peer_closed) connection = job_.connection;
    }
    pollfd fds[] = {{signal_pipe_[0].value(), POLLIN, 0}, {wakeup_.value(), POLLIN, 0}, {connection, POLLRDHUP, 0}};
    ::poll(fds, 3, poll_timeout());
    if (fds[1].revents != 0) clear_eventfd(wakeup_.value());
    if (fds[0].revents != 0) handle_signals();
    if (fds[2].revents != 0) on_peer_closed(connection);
    check_deadline();
    const std::lock_guard lock(mutex_);
    send_heartbeat();
}

int compute_watchdog::poll_timeout() {
    const std::lock_guard lock(mutex_);
    const instant soon = clock::now() + heartbeat_interval;
    const instant until = job_.deadline == instant::max() ? soon : job_.expired ? job_.deadline + grace : job_.deadline;
    const auto remaining = std::chrono::ceil<std::chrono::milliseconds>(std::min(until, soon) - clock::now());
    return static_cast<int>(std::max<std::int64_t>(remaining.count(), 0));
}

void compute_watchdog::check_deadline() {
    const std::lock_guard lock(mutex_);
    if (job_.cancel == nullptr || clock::now() < job_.deadline) return;
    if (!std::exchange(job_.expired, true)) job_.cancel->request(cancel_reason::deadline);
    if (clock::now() < job_.deadline + grace) return;
    log::error(job_.description + ": timed out; ending the process");
    record_job_end();
    exit_process(timeout_exit_status);
}

// By now another job may have the same descriptor, so poll it again.
void compute_watchdog::on_peer_closed(int connection) {
    const std::lock_guard lock(mutex_);
    if (job_.cancel == nullptr || job_.connection != connection) return;
    pollfd fd{connection, POLLRDHUP, 0};
    if (::poll(&fd, 1, 0) < 1) return;
    job_.peer_closed = true;
    job_.cancel->request(cancel_reason::disconnected);
}

void compute_watchdog::handle_signals() {
    char signal = 0;
    while (::read(signal_pipe_[0].value(), &signal, 1) == 1) {
        if (signal == SIGUSR1) {
            try {
                log::reopen();
            } catch (const std::exception& e) {
                log::error(e.what());
            }
            continue;
        }
        if (options_.on_stopping) options_.on_stopping();
        if (signal != SIGTERM && is_job_running()) {
            if (options_.job_stats != nullptr) options_.job_stats->on_process_exit();
            exit_process(0);
        }
        signal_eventfd(stop_event_.value());
    }
}

void compute_watchdog::exit_process(int status) {
    log::flush();
    ::_exit(status);
}

bool compute_watchdog::is_job_running() {
    const std::lock_guard lock(mutex_);
    return job_.cancel != nullptr;
}

}  // namespace rondo::detail
