// SPDX-License-Identifier: Apache-2.0
// The compute process: receives jobs, calls their isolated views and sends the responses.
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
#include <rondo/handler/make_request.hpp>
#include <rondo/http/h1/request_parser.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/web/app_state.hpp>
#include <rondo/web/dispatch.hpp>
#include <rondo/web/error_response.hpp>
#include <rondo/web/isolated/fd_passing.hpp>
#include <rondo/web/isolated/processes.hpp>
#include <rondo/web/isolated/responder.hpp>
#include <rondo/web/isolated/watchdog.hpp>

namespace rondo::compute {

namespace {

using namespace detail;

constexpr std::chrono::seconds receive_timeout{5};  // to receive a whole job

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
    explicit received_body(std::string_view bytes) noexcept : length_(bytes.size()), remaining_(bytes) {}
    task<std::string_view> read() override { co_return std::exchange(remaining_, {}); }
    std::optional<std::string_view> try_read() override { return std::exchange(remaining_, {}); }
    std::optional<std::uint64_t> length() const noexcept override { return length_; }
    bool is_at_end() const noexcept override { return remaining_.empty(); }
    void limit(std::uint64_t) noexcept override {}
    std::uint64_t limit() const noexcept override { return UINT64_MAX; }
    const http::fields* trailers() const noexcept override { return nullptr; }

private:
    std::uint64_t length_;
    std::string_view remaining_;
};

class job_peer final : public handler::connection_info {
public:
    explicit job_peer(const job_parts& job) noexcept : job_(job) {}
    std::string_view peer_address() noexcept override { return job_.peer; }
    std::uint16_t peer_port() noexcept override { return job_.header.port; }
    bool is_secure() const noexcept override { return job_.header.secure != 0; }
    std::string_view local_address() noexcept override { return job_.local; }
    std::uint16_t local_port() noexcept override { return job_.header.local_port; }
    bool is_unix() noexcept override { return job_.header.is_unix != 0; }

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
std::optional<job_parts> parse_or_reject(int connection, std::string_view received) {
    try {
        return parse_job(received);
    } catch (const std::runtime_error&) {
        compute_responder(connection, {}, false).unknown_view();
        throw;
    }
}

// Returns false when the peer disconnected, did not send a valid file, or took too long. Throws for a malformed job.
bool receive_job(int connection, received_job& job) {
    constexpr std::size_t step = 64 * 1024;
    const instant deadline = from_now(receive_timeout);
    for (;;) {
        const auto remaining = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
        pollfd fd{connection, POLLIN, 0};
        const int ready = remaining.count() > 0 ? ::poll(&fd, 1, static_cast<int>(remaining.count())) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return false;
        const ssize_t n = receive_with_fd(connection, job.bytes, step, job.file);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        const std::optional<job_parts> whole = parse_or_reject(connection, job.bytes);
        if (!whole) continue;
        job.parts = *whole;
        return whole->header.body_in_file == 0 || (job.file && is_sealed(job.file.value(), whole->header.file_size));
    }
}

bool is_peer_closed(int connection) noexcept {
    pollfd fd{connection, POLLRDHUP, 0};
    return ::poll(&fd, 1, 0) > 0;
}

/// Ends the monitoring of a job when destroyed, also when the job throws.
class watchdog_scope {
public:
    explicit watchdog_scope(compute_watchdog& watchdog) noexcept : watchdog_(watchdog) {}
    ~watchdog_scope() { watchdog_.end_job(); }
    watchdog_scope(const watchdog_scope&) = delete;
    watchdog_scope& operator=(const watchdog_scope&) = delete;

private:
    compute_watchdog& watchdog_;
};

class worker {
public:
    worker(app_state& app, const worker_options& options)
        : app_(app), options_(options), watchdog_({options.on_heartbeat, options.on_stopping, options.job_stats}) {}

    void run() {
        load();
        if (options_.on_ready) options_.on_ready();
        pollfd fds[] = {{options_.socket, POLLIN, 0}, {watchdog_.stop_fd(), POLLIN, 0}};
        while (fds[1].revents == 0) {
            if (::poll(fds, 2, -1) < 1 || fds[1].revents != 0) continue;
            const unique_fd connection(::accept4(options_.socket, nullptr, nullptr, SOCK_CLOEXEC));
            if (connection) serve_connection(connection.value());
        }
        if (options_.job_stats != nullptr) options_.job_stats->on_process_exit();
    }

private:
    void load() {
        app_.prepare();
        app_.for_each_route([this](route_entry& route) {
            if (!route.view.isolated || route.view.isolated->name != options_.name) return;
            try {
                route.view.isolated->instance = route.view.isolated->make_instance(route.view.view.get());
            } catch (const std::exception& e) {
                throw std::runtime_error("isolated view '" + options_.name + "' (" + route.pattern +
                                         "): the factory failed: " + e.what());
            }
        });
    }

    void serve_connection(int connection) {
        try {
            received_job job;
            if (require_peer_credentials(connection).uid != ::geteuid() || is_peer_closed(connection) ||
                !receive_job(connection, job))
                return;
            serve_job(connection, job);
        } catch (const cancelled&) {
        } catch (const std::exception& e) {
            log::error("compute job '" + options_.name + "' failed: " + e.what());
        }
    }

    void serve_job(int connection, const received_job& job) {
        const std::string_view text = job.parts.head;
        std::vector<http::field_ref> refs(static_cast<std::size_t>(std::ranges::count(text, '\n')));
        http::h1::request_head head;
        const auto max_size = static_cast<std::uint32_t>(text.size());
        if (!http::h1::parse_request_head(text, {max_size, max_size, max_size}, refs, head)) return;
        const mapped_body file =
            job.parts.header.body_in_file != 0 ? mapped_body(job.file, job.parts.header.file_size) : mapped_body();
        received_body body(job.parts.header.body_in_file != 0 ? file.text() : job.parts.body);
        job_peer peer(job.parts);
        arena memory;
        task_context context;
        context.deadline = instant(clock::duration(job.parts.header.deadline));
        handler::request from = handler::make_request(head, text.data());
        from.body = &body;
        from.connection = &peer;
        from.context = &context;
        from.memory = &memory;
        const match found = app_.route_table.find(from.method, from.path, memory);
        compute_responder to(connection, context.token(), from.method == http::method::head);
        if (!found.route || !found.route->view.isolated || found.route->view.isolated->name != options_.name)
            return to.unknown_view();
        context.name = found.route->pattern;
        to.view_started();
        const instant job_deadline = options_.timeout.count() > 0 ? from_now(options_.timeout) : instant::max();
        watchdog_.start_job(connection, std::min(job_deadline, context.deadline), context.cancel,
                            fmt::format("{} {} (route {}, request {})", from.method_text, from.target,
                                        found.route->pattern, job.parts.id));
        const watchdog_scope scope(watchdog_);
        loop_.run_until(run_view(from, to, found, job.parts.id, job_deadline), &context);
    }

    // `job_deadline` applies independently of the deadline of the request.
    task<void> run_view(handler::request& from, compute_responder& to, match found, std::string_view id,
                        instant job_deadline) {
        request req(from);
        req.set_id(id);
        req.set_route(*found.route, found.arguments);
        std::exception_ptr cause;
        try {
            (void)co_await req.read_all();
            const auto view = [&found, &req] {
                return found.route->view.sync(found.route->view.isolated->instance.get(), req, req.arguments());
            };
            response r = co_await run_on(nullptr, view);
            throw_if_expired(req);
            // The request's deadline only limits the time until the response starts.
            from.context->deadline = job_deadline;
            watchdog_.extend_deadline(job_deadline);
            co_await send_response(r, to, req);
        } catch (...) {
            cause = std::current_exception();
        }
        if (cause) report_failure(req, to, cause);
    }

    // A response made after the deadline is not sent.
    static void throw_if_expired(const request& req) {
        if (req.token().reason() == cancel_reason::deadline) throw cancelled{cancel_reason::deadline};
    }

    static void report_failure(request& req, compute_responder& to, const std::exception_ptr& cause) {
        const bool late = req.token().reason() == cancel_reason::deadline;
        const failure f = to_failure(cause);
        if (!late && f.code == http::status::internal_server_error) log_failure(req, cause);
        if (to.has_started()) to.abort();
        else if (late) to.fail({http::status::gateway_timeout, compute_timeout_text});
        else to.fail({f.code, f.text, f.retry_after});
    }

    app_state& app_;
    const worker_options& options_;
    event_loop loop_{{backend_kind::epoll}};
    compute_watchdog watchdog_;
};

}  // namespace

void run_worker(app& application, const worker_options& options) { worker(application.state(), options).run(); }

}  // namespace rondo::compute
