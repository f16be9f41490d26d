// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/worker.hpp>

#include <algorithm>
#include <csignal>
#include <functional>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/base/run_delay.hpp>
#include <rondo/base/version.hpp>
#include <rondo/cli/access_log.hpp>
#include <rondo/cli/admin_listener.hpp>
#include <rondo/cli/heartbeat.hpp>
#include <rondo/cli/log_files.hpp>
#include <rondo/cli/served.hpp>
#include <rondo/cli/worker_pools.hpp>
#include <rondo/contrib/leader_election.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/signals.hpp>
#include <rondo/loop/stall_detector.hpp>
#include <rondo/process/managed_listener.hpp>
#include <rondo/server/server.hpp>
#include <rondo/stats/client_library_stats.hpp>

namespace rondo::cli {

namespace {

using namespace std::chrono_literals;

// Duplicates of the sockets that this process owns; it removes their socket files instead of the server.
std::vector<process::managed_listener> duplicate_owned_sockets(std::vector<net::listening_socket>& sockets) {
    std::vector<process::managed_listener> duplicates;
    for (net::listening_socket& s : sockets)
        if (!s.externally_owned)
            duplicates.push_back({{}, {}, process::duplicate(s.fd.value()), s.url, std::exchange(s.file, {}), false});
    return duplicates;
}

recycle_limits make_recycle_limits(const server_settings& settings) {
    recycle_limits limits{settings.max_requests, settings.max_rss, settings.max_age};
    if (limits.requests == 0 || settings.max_requests_jitter == 0) return limits;
    // Spreads the recycling of workers that started together.
    std::random_device seed;
    limits.requests += std::uniform_int_distribution<std::uint64_t>(0, settings.max_requests_jitter)(seed);
    return limits;
}

class worker {
public:
    worker(served& application, const server_settings& settings, process::child* self,
           std::vector<net::listening_socket> admin, log::open_policy access_log)
        : served_(application),
          app_(application.application()),
          settings_(settings),
          self_(self),
          stats_(init_stats()),
          initial_log_lines_lost_(stats_.access_log_lines_lost.load()),
          initial_error_lines_lost_(stats_.error_log_lines_lost.load() - log::lost_lines()),
          loop_({settings.backend}),
          pools_(loop_, app_, settings),
          admin_sockets_(std::move(admin)),
          signals_(loop_, {SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGWINCH}, [this](int signal) { on_signal(signal); }) {
        served_.set_leader_check([this](std::string_view name) { return election_.try_acquire(name); });
        if (settings.access_log != "off")
            access_log_.emplace(settings.access_log, settings.access_log_format, self ? self->name() : std::string(),
                                access_log);
        if (access_log_) served_.set_access_log(&*access_log_);
        if (settings.stall_threshold > 0ms)
            stall_detector_.emplace(loop_, stall_options{.threshold = settings.stall_threshold},
                                    [this](const stall_report& r) { on_stall(r); });
    }
    ~worker() {
        end_server();
        served_.set_access_log(nullptr);
        served_.set_leader_check(nullptr);
    }

    int run(std::vector<net::listening_socket> sockets) {
        return served_.run(loop_, run_lifecycle(std::move(sockets)));
    }
    /// Until when the application may take to end the process after an orderly shutdown.
    [[nodiscard]] instant end_of_process() const noexcept { return std::max(end_of_grace_, from_now(1s)); }

private:
    task<int> run_lifecycle(std::vector<net::listening_socket> sockets) {
        keep_schedstat_open();
        co_await app_.startup();
        server_.emplace(loop_, pools_.application(), settings_.limits, &stats_);
        pools_.attach_to(*server_);
        served_.on_server_start(*server_);
        server_->on_sample([this](stats::worker_stats& s) { sample(s); });
        std::string admin_url = admin_sockets_.empty() ? "" : admin_sockets_.front().url;
        if (!admin_sockets_.empty()) admin_.emplace(std::move(admin_sockets_), server_->server_stats());
        if (self_) server_->balance_with(self_->slots(), self_->slot(), pools_.request_threads());
        if (self_)
            heartbeat_.emplace(*self_, loop_, make_recycle_limits(settings_), request_counter(),
                               [this] { return served_.stacks(); });
        start_accepting(std::move(sockets), admin_url);
        co_await stop_requested_.wait();
        log::info(fmt::format("shutting down: {} connections open, {} requests in flight", server_->connection_count(),
                              server_->server_stats().in_flight.load()));
        const auto grace = immediate_ ? 0s : std::chrono::duration_cast<clock::duration>(settings_.graceful_timeout);
        end_of_grace_ = from_now(grace);
        served_.set_background_deadline(end_of_grace_);
        served_.on_drain(end_of_grace_);
        co_await stop_accepting();
        co_await server_->drain(grace);
        // Views of disconnected clients may still run, and a thread counts as running shortly after it returned its
        // result.
        const instant end_of_views = std::max(end_of_grace_, from_now(1s));
        while (running() > 0 && clock::now() < end_of_views) co_await loop_.sleep(10ms);
        co_await served_.stop_background();
        if (running() > 0) exit_abandoning_views(running());
        co_await app_.shutdown();  // with heartbeats, as it waits for background groups
        sample(stats_);
        end_server();
        log::info("shutdown complete");
        co_return 0;
    }

    void end_server() {
        heartbeat_.reset();
        admin_.reset();
        if (server_) served_.on_server_end();
        server_.reset();
    }

    [[nodiscard]] std::size_t running() const noexcept { return pools_.running() + served_.running(); }

    void start_accepting(std::vector<net::listening_socket> sockets, const std::string& admin_url) {
        std::vector<std::string> urls;
        for (const net::listening_socket& s : sockets) urls.push_back(s.url);
        if (!self_) owned_sockets_ = duplicate_owned_sockets(sockets);
        std::vector<int> owned;
        for (const process::managed_listener& s : owned_sockets_) owned.push_back(s.fd.value());
        served_.set_listening_sockets(owned);
        for (net::listening_socket& s : sockets) server_->accept_from(std::move(s));
        if (self_) self_->set_ready();
        else log::info(startup_message(served_, settings_, urls, loop_.io().name(), admin_url));
    }

    // The stats of the slot, which successive processes share.
    stats::worker_stats& init_stats() {
        stats::worker_stats& s = self_ ? stats::worker_stats::attach(self_->memory()) : *own_stats_.emplace();
        store_relaxed(s.stall_ns, std::chrono::nanoseconds(settings_.stall_threshold).count());
        s.on_worker_start(getpid());
        return s;
    }

    void sample(stats::worker_stats& s) {
        if (access_log_) store_relaxed(s.access_log_lines_lost, initial_log_lines_lost_ + access_log_->dropped());
        store_relaxed(s.error_log_lines_lost, initial_error_lines_lost_ + log::lost_lines());
        library_stats_.sample(s);
        served_.sample(s);
    }

    // On the detector's thread.
    void on_stall(const stall_report& r) {
        if (r.ended) stats_.clear_blocking();
        else stats_.mark_blocking(r.context_name, clock::now() - r.duration);
        stall_report shown = r;
        if (!r.ended)
            if (std::string stack = served_.loop_stack(); !stack.empty()) shown.stack = std::move(stack);
        log::warning(shown.text());
        // This worker may have been woken for a connection that would now wait for the stall to end.
        if (self_ && !r.ended) server::accept_balancer(self_->slots(), self_->slot()).wake_next(clock::now());
    }

    [[nodiscard]] std::function<std::uint64_t()> request_counter() {
        const auto& requests = server_->server_stats().requests;
        return [&requests, before = requests.load()] { return requests.load() - before; };
    }

    // Without an arbiter this process accepts the connections that the kernel has already completed.
    task<void> stop_accepting() {
        for (const process::managed_listener& s : owned_sockets_) process::refuse_new(s);
        if (!owned_sockets_.empty() && !immediate_) co_await loop_.sleep(process::half_open_time);
        server_->stop_accepting();
        owned_sockets_.clear();
        if (self_) self_->set_draining();
    }

    void on_signal(int signal) {
        if (signal == SIGWINCH) {
            if (server_) server_->on_wakeup();
            return;
        }
        if (signal == SIGUSR1) return reopen_logs(access_log_ ? &*access_log_ : nullptr);
        if (signal != SIGTERM) immediate_ = true;
        // A second signal closes all connections at once.
        if (stop_requested_.is_set() && server_) server_->close_all_now();
        stop_requested_.set();
    }

    // A thread that runs a view cannot be stopped; the process can.
    [[noreturn]] void exit_abandoning_views(std::size_t views) {
        sample(stats_);
        served_.end_process(clock::now());
        log::warning(fmt::format("exiting with {} views still running", views));
        log::flush();
        _exit(1);
    }

    served& served_;
    handler::application& app_;
    const server_settings& settings_;
    process::child* self_;
    std::optional<stats::worker_stats_memory> own_stats_;  // without an arbiter
    stats::worker_stats& stats_;
    std::uint64_t initial_log_lines_lost_;
    std::uint64_t initial_error_lines_lost_;  // excludes lines lost before this process became a worker
    stats::client_library_sampler library_stats_;
    leader_election election_;
    event_loop loop_;
    worker_pools pools_;
    std::vector<net::listening_socket> admin_sockets_;
    signal_watcher signals_;
    std::optional<access_log_file> access_log_;
    std::optional<stall_detector> stall_detector_;
    std::optional<server::server> server_;
    std::optional<admin_thread> admin_;
    std::optional<heartbeat> heartbeat_;
    std::vector<process::managed_listener> owned_sockets_;  // without an arbiter
    event stop_requested_;
    instant end_of_grace_{};
    bool immediate_ = false;
};

}  // namespace

int run_worker(served& application, const server_settings& settings, std::vector<net::listening_socket> sockets,
               process::child* self, std::vector<net::listening_socket> admin, log::open_policy access_log) {
    std::optional<worker> w(std::in_place, application, settings, self, std::move(admin), access_log);
    const int status = w->run(std::move(sockets));
    const instant deadline = w->end_of_process();
    w.reset();
    application.end_process(deadline);
    return status;
}

std::string startup_message(served& application, const server_settings& settings, const std::vector<std::string>& urls,
                            std::string_view backend, std::string_view admin) {
    std::string text = fmt::format("Rondo {} serving, pid {}", version, getpid());
    for (const std::string& url : urls) text += fmt::format("\nlisten   {}", url);
    if (!admin.empty()) text += fmt::format("\nadmin    {}", admin);
    text += fmt::format("\nbackend  {}", backend);
    if (settings.workers > 0) text += fmt::format("\nworkers  {}", settings.workers);
    text += fmt::format("\n{}", application.views_text(settings));
    return text;
}

}  // namespace rondo::cli
