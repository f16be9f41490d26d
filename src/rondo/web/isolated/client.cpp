// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/isolated/client.hpp>

#include <cerrno>
#include <coroutine>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <rondo/base/log.hpp>
#include <rondo/coro/waiter.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/web/isolated/fd_passing.hpp>

namespace rondo::detail {

namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

constexpr std::size_t read_size = 64 * 1024;
constexpr unsigned frames_per_turn = 64;
constexpr std::size_t max_files = 4;  // each file arrives with its frame
constexpr int max_attempts = 3;
constexpr auto old_process_delay = 20ms;  // while processes of an older image end

/// Waits until a descriptor is ready: `co_await fd_wait(fd, POLLIN)`.
class [[nodiscard]] fd_wait : waiter, poll_operation {
public:
    fd_wait(int fd, int events) noexcept : waiter(&stop), fd_(fd), events_(events) {}
    ~fd_wait() { end(); }
    fd_wait(const fd_wait&) = delete;
    fd_wait& operator=(const fd_wait&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> coroutine) {
        if (!suspend(coroutine)) return false;
        io_ = &event_loop::current().io();
        io_->poll(*this, fd_, events_);
        return true;
    }
    void await_resume() {
        end();
        check();
    }

private:
    static void stop(waiter& self) noexcept { static_cast<fd_wait&>(self).end(); }
    void end() noexcept {
        if (backend* const io = std::exchange(io_, nullptr)) io->cancel(*this);
    }
    void polled(int) noexcept override {
        io_ = nullptr;
        wake();
    }

    int fd_;
    int events_;
    backend* io_ = nullptr;
};

task<void> wait_until_ready(int fd, int events) { co_await fd_wait(fd, events); }

std::system_error errno_error(const char* text) { return {errno, std::generic_category(), text}; }

http_error timeout_error() { return http_error(http::status::gateway_timeout, compute_timeout_text); }
http_error process_lost_error() {
    return http_error(http::status::bad_gateway, "the compute process ended unexpectedly");
}

// A compute process reports a timed-out view with this failure.
stats::job_outcome outcome_of(const reply_failure& f) {
    const bool late = f.code == http::status::gateway_timeout && f.text == compute_timeout_text;
    return late ? stats::job_outcome::timed_out : stats::job_outcome::done;
}

}  // namespace

compute_client::compute_client(std::string name, const compute::attach_options& options)
    : name_(std::move(name)), address_(options.address), max_jobs_(options.max_jobs), timeout_(options.timeout) {
    if (options.socket >= 0) listener_ = require_peer_credentials(options.socket);
}

bool compute_client::is_expected_peer(int connection) const {
    if (!listener_) return true;
    const ucred peer = require_peer_credentials(connection);
    return peer.uid == listener_->uid && peer.pid == listener_->pid;
}

void compute_client::acquire_slot() {
    if (used_slots_.fetch_add(1, std::memory_order_relaxed) < max_jobs_) return queue_stats_->count_queued();
    release_slot();
    queue_stats_->count_refused();
    throw pool_full("all compute processes for '" + name_ + "' are busy and the queue is full", 1s);
}

compute_job::compute_job(std::shared_ptr<compute_client> client) : client_(std::move(client)) {
    client_->acquire_slot();
}

compute_job::~compute_job() {
    client_->queue_stats().count_finished(outcome_, started_);
    client_->release_slot();
}

void compute_job::connect() {
    received_.clear();
    consumed_ = 0;
    socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_) throw errno_error("cannot create a socket for a compute process");
    const abstract_address to(client_->address());
    if (::connect(socket_.value(), to.get(), to.size()) == 0) {
        if (client_->is_expected_peer(socket_.value())) return;
        // Once all owners of the socket have ended, any process may listen at its address.
        log::error(fmt::format("a foreign process listens at the job socket of '{}': the job is not sent to it",
                               client_->name()));
        throw process_lost_error();
    }
    if (errno == EAGAIN) {
        outcome_ = stats::job_outcome::refused;
        throw pool_full("too many requests wait for compute processes of '" + client_->name() + "'", 1s);
    }
    throw process_lost_error();
}

task<bool> compute_job::send(std::string_view message, int file) {
    while (!message.empty()) {
        const ssize_t n = send_with_fd(socket_.value(), message, file);
        if (n > 0) {
            message.remove_prefix(static_cast<std::size_t>(n));
            file = -1;
        } else if (errno == EAGAIN) {
            co_await wait_until_ready(socket_.value(), POLLOUT);
        } else if (errno != EINTR) {
            co_return false;
        }
    }
    co_return true;
}

task<void> compute_job::start(request& req, std::string_view body) {
    try {
        co_await submit(req, body);
    } catch (const malformed_reply& e) {
        throw reject_reply(e.what());
    } catch (const http_error&) {
        outcome_ = stats::job_outcome::lost;
        throw;
    } catch (const cancelled& c) {
        if (c.reason == cancel_reason::deadline) outcome_ = stats::job_outcome::timed_out;
        throw;
    }
    started_ = true;
    const instant now = clock::now();
    client_->queue_stats().count_started((now - submitted_at_).count());
    if (client_->timeout().count() > 0) deadline_ = now + client_->timeout();
}

task<void> compute_job::submit(request& req, std::string_view body) {
    const std::string message = encode_job(req, body);
    unique_fd file;
    if (body.size() > max_inline_body) {
        const auto store = [&file, body] { file = make_memory_file(body); };
        co_await run_blocking(store);
    }
    for (int failed_attempts = 0; failed_attempts < max_attempts;) {
        connect();
        std::optional<frame> first;
        const bool sent = co_await send(message, file.value());
        if (sent) first = co_await receive();
        if (!first) {
            ++failed_attempts;
        } else if (first->kind == frame_kind::started) {
            co_return;
        } else if (first->kind == frame_kind::unknown_view) {
            co_await sleep(old_process_delay);
        } else {
            break;
        }
    }
    throw process_lost_error();
}

task<std::optional<frame>> compute_job::receive() {
    // A process that never stops sending must not occupy the loop.
    if (++frames_since_wait_ > frames_per_turn) {
        frames_since_wait_ = 0;
        co_await sleep(clock::duration::zero());
    }
    for (;;) {
        std::size_t size = 0;
        const std::optional<frame> found = parse_frame(std::string_view(received_).substr(consumed_), size);
        if (found) {
            consumed_ += size;
            co_return found;
        }
        received_.erase(0, std::exchange(consumed_, 0));
        unique_fd file;
        const ssize_t n = receive_with_fd(socket_.value(), received_, read_size, file);
        const int error = errno;
        if (file && files_.size() == max_files) co_return std::nullopt;
        if (file) files_.push_back(std::move(file));
        if (n > 0) continue;
        if (n == 0 || (error != EAGAIN && error != EINTR)) co_return std::nullopt;
        if (error != EAGAIN) continue;
        frames_since_wait_ = 0;
        co_await wait_until_ready(socket_.value(), POLLIN);
    }
}

task<frame> compute_job::next_frame() {
    try {
        const frame f = co_await receive_before_deadline();
        check_frame(f);
        co_return f;
    } catch (const malformed_reply& e) {
        throw reject_reply(e.what());
    } catch (const http_error& e) {
        outcome_ = e.code() == http::status::gateway_timeout ? stats::job_outcome::timed_out : stats::job_outcome::lost;
        throw;
    } catch (const cancelled& c) {
        if (c.reason == cancel_reason::deadline) outcome_ = stats::job_outcome::timed_out;
        throw;
    }
}

void compute_job::check_frame(const frame& f) {
    switch (f.kind) {
        case frame_kind::bytes: return count_body(f.payload.size());
        case frame_kind::file: return count_body(parse_file_payload(f.payload).length);
        case frame_kind::failed: outcome_ = outcome_of(parse_failure_payload(f.payload)); return;
        case frame_kind::end:
            if (remaining_body_.value_or(0) != 0 && !body_omitted_)
                throw malformed_reply(fmt::format("body is {} bytes shorter than declared", *remaining_body_));
            outcome_ = stats::job_outcome::done;
            return;
        case frame_kind::started:
        case frame_kind::head:
        case frame_kind::unknown_view: return;
    }
}

void compute_job::count_body(std::uint64_t bytes) {
    if (!remaining_body_) return;
    if (bytes > *remaining_body_) throw malformed_reply("body is longer than declared");
    *remaining_body_ -= bytes;
}

void compute_job::expect_body(std::uint64_t length, bool omitted) noexcept {
    remaining_body_ = length;
    body_omitted_ = omitted;
}

http_error compute_job::reject_reply(std::string_view reason) {
    outcome_ = stats::job_outcome::lost;
    log::error(fmt::format("malformed reply from a compute process of '{}': {}", client_->name(), reason));
    return http_error(http::status::bad_gateway, "malformed reply from the compute process");
}

task<frame> compute_job::receive_before_deadline() {
    std::optional<frame> found;
    bool late = false;
    task<std::optional<frame>> receiving = receive();
    if (deadline_ == instant::max()) {
        found = co_await std::move(receiving);
    } else {
        try {
            found = co_await with_timeout(deadline_ - clock::now(), std::move(receiving));
        } catch (const timed_out&) {
            late = true;
        }
    }
    if (late || (!found && clock::now() >= deadline_)) throw timeout_error();
    if (!found) throw process_lost_error();
    co_return *found;
}

unique_fd compute_job::take_file(file_part part) {
    if (files_.empty()) throw reject_reply("a file of the body is missing");
    unique_fd first = std::move(files_.front());
    files_.erase(files_.begin());
    // A pipe or device would block the thread that reads it.
    struct stat status{};
    if (::fstat(first.value(), &status) != 0 || !S_ISREG(status.st_mode))
        throw reject_reply("a file of the body is not a regular file");
    if (static_cast<std::uint64_t>(status.st_size) < part.offset + part.length)
        throw reject_reply("a file of the body is shorter than declared");
    return first;
}

}  // namespace rondo::detail
