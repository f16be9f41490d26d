// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/handler/error.hpp>
#include <rondo/handler/parsed_request.hpp>
#include <rondo/http/h1/parser.hpp>
#include <rondo/loop/pool.hpp>
#include <rondo/web/app_state.hpp>
#include <rondo/web/dispatch.hpp>
#include <rondo/web/error_response.hpp>
#include <rondo/web/isolated/processes.hpp>
#include <rondo/web/isolated/responder.hpp>
#include <rondo/web/isolated/socket.hpp>
#include <rondo/web/isolated/watchdog.hpp>

namespace rondo::compute {

namespace {

using namespace detail;

constexpr std::chrono::seconds patience{5};  // to receive a whole job

/// A memory-mapped body.
class mapped_body {
public:
    mapped_body() = default;
    mapped_body(const unique_fd& file, std::size_t size) : size_(size) {
        bytes_ = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value(), 0);
        if (bytes_ == MAP_FAILED) throw std::bad_alloc();
    }
    ~mapped_body() {
        if (size_ != 0) ::munmap(bytes_, size_);
    }
    mapped_body(const mapped_body&) = delete;
    mapped_body& operator=(const mapped_body&) = delete;
    [[nodiscard]] std::string_view text() const noexcept { return {static_cast<const char*>(bytes_), size_}; }

private:
    void* bytes_ = nullptr;
    std::size_t size_ = 0;
};

class received_body final : public handler::body {
public:
    explicit received_body(std::string_view bytes) noexcept : length_(bytes.size()), rest_(bytes) {}
    task<std::string_view> read() override { co_return std::exchange(rest_, {}); }
    std::optional<std::uint64_t> length() const noexcept override { return length_; }
    bool ended() const noexcept override { return rest_.empty(); }
    void limit(std::uint64_t) noexcept override {}
    std::uint64_t limit() const noexcept override { return UINT64_MAX; }
    const http::fields* trailers() const noexcept override { return nullptr; }

private:
    std::uint64_t length_;
    std::string_view rest_;
};

class sender final : public handler::connection_info {
public:
    explicit sender(const job_parts& job) noexcept : job_(job) {}
    std::string_view peer_address() noexcept override { return job_.peer; }
    std::uint16_t peer_port() noexcept override { return job_.lengths.port; }
    bool secure() const noexcept override { return job_.lengths.secure != 0; }

private:
    const job_parts& job_;
};

/// A job as received.
struct received_job {
    std::string bytes;
    unique_fd file;
    job_parts parts;
};

// A program built with another version of Rondo may send jobs in another format.
std::optional<job_parts> parse(int connection, std::string_view received) {
    try {
        return parse_job(received);
    } catch (const std::runtime_error&) {
        compute_responder(connection, {}, false).not_here();
        throw;
    }
}

// Returns false when the peer disconnected, did not send a valid file, or took too long. Throws for a malformed job.
bool receive(int connection, received_job& job) {
    constexpr std::size_t step = 64 * 1024;
    const instant until = from_now(patience);
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now());
        pollfd fd{connection, POLLIN, 0};
        const int ready = left.count() > 0 ? ::poll(&fd, 1, static_cast<int>(left.count())) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return false;
        const ssize_t n = receive_with_file(connection, job.bytes, step, job.file);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        const std::optional<job_parts> whole = parse(connection, job.bytes);
        if (!whole) continue;
        job.parts = *whole;
        return whole->lengths.file == 0 || (job.file && is_sealed(job.file.value(), whole->lengths.file_size));
    }
}

bool is_gone(int connection) noexcept {
    pollfd fd{connection, POLLRDHUP, 0};
    return ::poll(&fd, 1, 0) > 0;
}

/// Ends the monitoring of a job when destroyed, also when the job throws.
class watched {
public:
    explicit watched(compute_watch& watchdog) noexcept : by_(watchdog) {}
    ~watched() { by_.end(); }
    watched(const watched&) = delete;
    watched& operator=(const watched&) = delete;

private:
    compute_watch& by_;
};

class worker {
public:
    worker(app_state& app, const work_options& options)
        : app_(app), options_(options), watch_({options.lives_until, options.ending, options.figures}) {}

    void run() {
        load();
        if (options_.ready) options_.ready();
        pollfd fds[] = {{options_.socket, POLLIN, 0}, {watch_.asked_to_end(), POLLIN, 0}};
        while (fds[1].revents == 0) {
            if (::poll(fds, 2, -1) < 1 || fds[1].revents != 0) continue;
            const unique_fd connection(::accept4(options_.socket, nullptr, nullptr, SOCK_CLOEXEC));
            if (connection) take(connection.value());
        }
        if (options_.figures != nullptr) options_.figures->end();
    }

private:
    void load() {
        app_.prepare();
        app_.for_each_route([this](route_entry& route) {
            if (!route.view.isolated || route.view.isolated->name != options_.name) return;
            try {
                route.view.isolated->state = route.view.isolated->make(route.view.view.get());
            } catch (const std::exception& e) {
                throw std::runtime_error("isolated view '" + options_.name + "' (" + route.pattern +
                                         "): the factory failed: " + e.what());
            }
        });
    }

    void take(int connection) {
        try {
            received_job job;
            if (owner_of(connection).uid != ::geteuid() || is_gone(connection) || !receive(connection, job)) return;
            answer(connection, job);
        } catch (const cancelled&) {
        } catch (const std::exception& e) {
            log::error("compute job '" + options_.name + "' failed: " + e.what());
        }
    }

    void answer(int connection, const received_job& job) {
        const std::string_view text = job.parts.head;
        std::vector<http::field_ref> refs(static_cast<std::size_t>(std::ranges::count(text, '\n')));
        http::h1::request_head head;
        const auto max_size = static_cast<std::uint32_t>(text.size());
        if (!http::h1::parse_request_head(text, {max_size, max_size, max_size}, refs, head)) return;
        const mapped_body file =
            job.parts.lengths.file != 0 ? mapped_body(job.file, job.parts.lengths.file_size) : mapped_body();
        received_body body(job.parts.lengths.file != 0 ? file.text() : job.parts.body);
        sender peer(job.parts);
        arena memory;
        context in;
        in.deadline = instant(clock::duration(job.parts.lengths.deadline));
        handler::request from = handler::request_of(head, text.data());
        from.body = &body;
        from.connection = &peer;
        from.running_in = &in;
        from.memory = &memory;
        const match found = app_.to_views.find(from.method, from.path, memory);
        compute_responder to(connection, in.token(), from.method == http::method::head);
        if (!found.route || !found.route->view.isolated || found.route->view.isolated->name != options_.name)
            return to.not_here();
        in.activity = found.route->pattern;
        to.begun_view();
        const instant job_deadline = options_.timeout.count() > 0 ? from_now(options_.timeout) : instant::max();
        watch_.begin(connection, std::min(job_deadline, in.deadline), in.cancel,
                     fmt::format("{} {} (route {}, request {})", from.method_text, from.target, found.route->pattern,
                                 job.parts.id));
        const watched scope(watch_);
        loop_.run_until(call(from, to, found, job.parts.id, job_deadline), &in);
    }

    // `job_deadline` applies independently of the deadline of the request.
    task<void> call(handler::request& from, compute_responder& to, match found, std::string_view id,
                    instant job_deadline) {
        request req(from);
        req.use_id(id);
        req.matched(*found.route, found.arguments);
        std::exception_ptr cause;
        try {
            (void)co_await req.read_all();
            const auto view = [&found, &req] {
                return found.route->view.sync(found.route->view.isolated->state.get(), req, req.arguments());
            };
            response r = co_await run_on(nullptr, view);
            require_in_time(req);
            // The request's deadline only limits the time until the response starts.
            from.running_in->deadline = job_deadline;
            watch_.answers(job_deadline);
            co_await send(r, to, req);
        } catch (...) {
            cause = std::current_exception();
        }
        if (cause) tell(req, to, cause);
    }

    // A response made after the deadline is not sent.
    static void require_in_time(const request& req) {
        if (req.token().reason() == cancel_reason::deadline) throw cancelled{cancel_reason::deadline};
    }

    static void tell(request& req, compute_responder& to, const std::exception_ptr& cause) {
        const bool late = req.token().reason() == cancel_reason::deadline;
        const failure f = failure_of(cause);
        if (!late && f.code == http::status::internal_server_error) report(req, cause);
        if (to.begun()) to.abort();
        else if (late) to.fail({http::status::gateway_timeout, took_too_long});
        else to.fail({f.code, f.text, f.retry_after});
    }

    app_state& app_;
    const work_options& options_;
    event_loop loop_{{backend_kind::epoll}};
    compute_watch watch_;
};

}  // namespace

void work(app& application, const work_options& options) { worker(application.state(), options).run(); }

}  // namespace rondo::compute
