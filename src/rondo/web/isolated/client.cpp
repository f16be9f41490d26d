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
#include <rondo/loop/pool.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/web/isolated/socket.hpp>

namespace rondo::detail {

namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

constexpr std::size_t read_size = 64 * 1024;
constexpr unsigned frames_per_turn = 64;
constexpr std::size_t most_files = 4;  // each file arrives with its frame
constexpr int attempts = 3;
constexpr auto old_process_pause = 20ms;  // while processes of an older image end

/// `co_await descriptor_wait(fd, POLLIN)`
class [[nodiscard]] descriptor_wait : waiter, poll_operation {
public:
    descriptor_wait(int fd, int events) noexcept : waiter(&stop), fd_(fd), events_(events) {}
    ~descriptor_wait() { end(); }
    descriptor_wait(const descriptor_wait&) = delete;
    descriptor_wait& operator=(const descriptor_wait&) = delete;

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
    static void stop(waiter& self) noexcept { static_cast<descriptor_wait&>(self).end(); }
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

task<void> ready_for(int fd, int events) { co_await descriptor_wait(fd, events); }

std::system_error failure_of_system(const char* text) { return {errno, std::generic_category(), text}; }

http_error too_late() { return http_error(http::status::gateway_timeout, took_too_long); }
http_error lost() { return http_error(http::status::bad_gateway, "the compute process ended unexpectedly"); }

// A compute process reports a timed-out view with this failure.
stats::job_end end_of(const answer_failure_text& f) {
    const bool late = f.code == http::status::gateway_timeout && f.text == took_too_long;
    return late ? stats::job_end::late : stats::job_end::done;
}

}  // namespace

compute_link::compute_link(std::string name, const compute::link_options& options)
    : name_(std::move(name)), address_(options.address), places_(options.places), timeout_(options.timeout) {
    if (options.socket >= 0) listener_ = owner_of(options.socket);
}

bool compute_link::leads_to_ours(int connection) const {
    if (!listener_) return true;
    const ucred peer = owner_of(connection);
    return peer.uid == listener_->uid && peer.pid == listener_->pid;
}

void compute_link::enter() {
    if (taken_.fetch_add(1, std::memory_order_relaxed) < places_) return figures_->asked();
    leave();
    figures_->refused();
    throw pool_full("all compute processes for '" + name_ + "' are busy and the queue is full", 1s);
}

compute_job::compute_job(std::shared_ptr<compute_link> client) : link_(std::move(client)) { link_->enter(); }

compute_job::~compute_job() {
    link_->figures().over(end_, begun_);
    link_->leave();
}

void compute_job::connect() {
    received_.clear();
    used_ = 0;
    socket_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_) throw failure_of_system("cannot create a socket for a compute process");
    const abstract_address to(link_->address());
    if (::connect(socket_.value(), to.get(), to.size()) == 0) {
        if (link_->leads_to_ours(socket_.value())) return;
        // Once all owners of the socket have ended, any process may listen at its address.
        log::error(fmt::format("a foreign process listens at the job socket of '{}': the job is not sent to it",
                               link_->name()));
        throw lost();
    }
    if (errno == EAGAIN) {
        end_ = stats::job_end::refused;
        throw pool_full("too many requests wait for compute processes of '" + link_->name() + "'", 1s);
    }
    throw lost();
}

task<bool> compute_job::send(std::string_view message, int file) {
    while (!message.empty()) {
        const ssize_t n = send_with_file(socket_.value(), message, file);
        if (n > 0) {
            message.remove_prefix(static_cast<std::size_t>(n));
            file = -1;
        } else if (errno == EAGAIN) {
            co_await ready_for(socket_.value(), POLLOUT);
        } else if (errno != EINTR) {
            co_return false;
        }
    }
    co_return true;
}

task<void> compute_job::begin(request& req, std::string_view body) {
    try {
        co_await ask(req, body);
    } catch (const invalid_answer& e) {
        throw invalid(e.what());
    } catch (const http_error&) {
        end_ = stats::job_end::lost;
        throw;
    } catch (const cancelled& c) {
        if (c.reason == cancel_reason::deadline) end_ = stats::job_end::late;
        throw;
    }
    begun_ = true;
    const instant now = clock::now();
    link_->figures().begun((now - asked_).count());
    if (link_->timeout().count() > 0) until_ = now + link_->timeout();
}

task<void> compute_job::ask(request& req, std::string_view body) {
    const std::string message = job_message(req, body);
    unique_fd file;
    if (body.size() > inline_body) {
        const auto store = [&file, body] { file = memory_file(body); };
        co_await run_blocking(store);
    }
    for (int died = 0; died < attempts;) {
        connect();
        std::optional<frame> first;
        const bool sent = co_await send(message, file.value());
        if (sent) first = co_await receive();
        if (!first) {
            ++died;
        } else if (first->kind == frame_kind::begun) {
            co_return;
        } else if (first->kind == frame_kind::not_here) {
            co_await sleep(old_process_pause);
        } else {
            break;
        }
    }
    throw lost();
}

task<std::optional<frame>> compute_job::receive() {
    // A process that never stops sending must not occupy the loop.
    if (++without_wait_ > frames_per_turn) {
        without_wait_ = 0;
        co_await sleep(clock::duration::zero());
    }
    for (;;) {
        std::size_t size = 0;
        const std::optional<frame> found = first_frame(std::string_view(received_).substr(used_), size);
        if (found) {
            used_ += size;
            co_return found;
        }
        received_.erase(0, std::exchange(used_, 0));
        unique_fd file;
        const ssize_t n = receive_with_file(socket_.value(), received_, read_size, file);
        const int error = errno;
        if (file && files_.size() == most_files) co_return std::nullopt;
        if (file) files_.push_back(std::move(file));
        if (n > 0) continue;
        if (n == 0 || (error != EAGAIN && error != EINTR)) co_return std::nullopt;
        if (error != EAGAIN) continue;
        without_wait_ = 0;
        co_await ready_for(socket_.value(), POLLIN);
    }
}

task<frame> compute_job::next() {
    try {
        const frame f = co_await next_in_time();
        check(f);
        co_return f;
    } catch (const invalid_answer& e) {
        throw invalid(e.what());
    } catch (const http_error& e) {
        end_ = e.code() == http::status::gateway_timeout ? stats::job_end::late : stats::job_end::lost;
        throw;
    } catch (const cancelled& c) {
        if (c.reason == cancel_reason::deadline) end_ = stats::job_end::late;
        throw;
    }
}

void compute_job::check(const frame& f) {
    switch (f.kind) {
        case frame_kind::bytes: return count(f.payload.size());
        case frame_kind::file: return count(parse_file_payload(f.payload).length);
        case frame_kind::failed: end_ = end_of(parse_failure_payload(f.payload)); return;
        case frame_kind::end:
            if (missing_.value_or(0) != 0 && !left_out_)
                throw invalid_answer(fmt::format("body is {} bytes shorter than declared", *missing_));
            end_ = stats::job_end::done;
            return;
        case frame_kind::begun:
        case frame_kind::head:
        case frame_kind::not_here: return;
    }
}

void compute_job::count(std::uint64_t bytes) {
    if (!missing_) return;
    if (bytes > *missing_) throw invalid_answer("body is longer than declared");
    *missing_ -= bytes;
}

void compute_job::expect(std::uint64_t length, bool omitted) noexcept {
    missing_ = length;
    left_out_ = omitted;
}

http_error compute_job::invalid(std::string_view reason) {
    end_ = stats::job_end::lost;
    log::error(fmt::format("malformed reply from a compute process of '{}': {}", link_->name(), reason));
    return http_error(http::status::bad_gateway, "malformed reply from the compute process");
}

task<frame> compute_job::next_in_time() {
    std::optional<frame> found;
    bool late = false;
    task<std::optional<frame>> receiving = receive();
    if (until_ == instant::max()) {
        found = co_await std::move(receiving);
    } else {
        try {
            found = co_await with_timeout(until_ - clock::now(), std::move(receiving));
        } catch (const timed_out&) {
            late = true;
        }
    }
    if (late || (!found && clock::now() >= until_)) throw too_late();
    if (!found) throw lost();
    co_return *found;
}

unique_fd compute_job::take_file(file_part part) {
    if (files_.empty()) throw invalid("a file of the body is missing");
    unique_fd first = std::move(files_.front());
    files_.erase(files_.begin());
    // A pipe or device would block the thread that reads it.
    struct stat status{};
    if (::fstat(first.value(), &status) != 0 || !S_ISREG(status.st_mode))
        throw invalid("a file of the body is not a regular file");
    if (static_cast<std::uint64_t>(status.st_size) < part.offset + part.length)
        throw invalid("a file of the body is shorter than declared");
    return first;
}

}  // namespace rondo::detail
