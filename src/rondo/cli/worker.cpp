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
#include <rondo/cli/worker_kind.hpp>
#include <rondo/contrib/election.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/signals.hpp>
#include <rondo/loop/stall_detector.hpp>
#include <rondo/process/managed_listener.hpp>
#include <rondo/server/server.hpp>
#include <rondo/stats/client_library_stats.hpp>
#include <rondo/web/app.hpp>

namespace rondo::cli {

namespace {

using namespace std::chrono_literals;

std::string count_views(app& application) {
    std::size_t async = 0;
    std::size_t sync = 0;
    std::size_t cpu = 0;
    std::size_t isolated = 0;
    for (const route_info& r : application.routes()) {
        if (r.kind == view_kind::async) ++async;
        else if (r.kind == view_kind::sync) ++sync;
        else if (r.kind == view_kind::cpu) ++cpu;
        else ++isolated;
    }
    std::string text = fmt::format("{} async, {} sync, {} cpu", async, sync, cpu);
    if (isolated > 0) text += fmt::format(", {} isolated", isolated);
    return text;
}

// Duplicates of the sockets that this process owns; it removes their socket files instead of the server.
std::vector<process::kept_socket> second_descriptors(std::vector<net::listening_socket>& sockets) {
    std::vector<process::kept_socket> all;
    for (net::listening_socket& s : sockets)
        if (!s.foreign)
            all.push_back({{}, {}, process::duplicate(s.fd.value()), s.url, std::exchange(s.file, {}), false});
    return all;
}

lifetime lifetime_of(const settings& settings) {
    lifetime limits{settings.max_requests, settings.max_rss, settings.max_age};
    if (limits.requests == 0 || settings.max_requests_jitter == 0) return limits;
    // Spreads the recycling of workers that started together.
    std::random_device seed;
    limits.requests += std::uniform_int_distribution<std::uint64_t>(0, settings.max_requests_jitter)(seed);
    return limits;
}

class worker {
public:
    worker(app& application, const settings& settings, process::child* self, std::vector<net::listening_socket> admin,
           log::opening access_log)
        : app_(application),
          chosen_(settings),
          self_(self),
          figures_(begin_figures()),
          log_lines_lost_before_(figures_.log_lines_lost.load()),
          error_lines_lost_before_(figures_.error_log_lines_lost.load() - log::lost()),
          loop_({settings.backend}),
          kind_(loop_, application, settings),
          admin_sockets_(std::move(admin)),
          signals_(loop_, {SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGWINCH}, [this](int signal) { on_signal(signal); }) {
        app_.elect_with([this](std::string_view name) { return election_.leads(name); });
        if (settings.access_log != "off")
            log_.emplace(settings.access_log, settings.access_log_format, self ? self->name() : std::string(),
                         access_log);
        if (log_) app_.access_log(&*log_);
        if (settings.stall_threshold > 0ms)
            stalls_.emplace(loop_, stall_options{.threshold = settings.stall_threshold},
                            [this](const stall_report& r) { tell_stall(r); });
    }
    ~worker() {
        app_.access_log(nullptr);
        app_.elect_with(nullptr);
    }

    int run(std::vector<net::listening_socket> sockets) { return loop_.run_until(live(std::move(sockets))); }

private:
    task<int> live(std::vector<net::listening_socket> sockets) {
        keep_run_delay_open();
        co_await app_.startup();
        server_.emplace(loop_, kind_.application(), chosen_.limits, &figures_);
        kind_.watched_by(*server_);
        server_->at_each_look([this](stats::statistics& s) { look_around(s); });
        std::string admin_url = admin_sockets_.empty() ? "" : admin_sockets_.front().url;
        if (!admin_sockets_.empty()) admin_.emplace(std::move(admin_sockets_), server_->statistics());
        if (self_) server_->share_with(self_->slots(), self_->slot(), kind_.views());
        if (self_) heartbeat_.emplace(*self_, loop_, lifetime_of(chosen_), served());
        begin(std::move(sockets), admin_url);
        co_await asked_to_end_.wait();
        log::info(fmt::format("shutting down: {} connections open, {} requests in flight", server_->connections(),
                              server_->statistics().in_flight.load()));
        const auto grace = quick_ ? 0s : std::chrono::duration_cast<clock::duration>(chosen_.graceful_timeout);
        const instant end_of_grace = from_now(grace);
        app_.background_until(end_of_grace);
        co_await stop_accepting();
        co_await server_->drain(grace);
        // Views of disconnected clients may still run, and a thread counts as running shortly after it returned its
        // result.
        const instant end_of_views = std::max(end_of_grace, from_now(1s));
        while (kind_.running() > 0 && clock::now() < end_of_views) co_await loop_.sleep(10ms);
        co_await app_.end_background();
        if (kind_.running() > 0) leave_behind(kind_.running());
        co_await app_.shutdown();  // with heartbeats, as it waits for background groups
        look_around(figures_);
        heartbeat_.reset();
        admin_.reset();
        server_.reset();
        log::info("shutdown complete");
        co_return 0;
    }

    void begin(std::vector<net::listening_socket> sockets, const std::string& admin_url) {
        std::vector<std::string> urls;
        for (const net::listening_socket& s : sockets) urls.push_back(s.url);
        if (!self_) own_ = second_descriptors(sockets);
        for (net::listening_socket& s : sockets) server_->accept_from(std::move(s));
        if (self_) self_->ready();
        else log::info(start_text(app_, chosen_, urls, loop_.io().name(), admin_url));
    }

    // The stats of the slot, which successive processes share.
    stats::statistics& begin_figures() {
        stats::statistics& s = self_ ? stats::statistics::in(self_->memory()) : *own_figures_.emplace();
        set_to(s.stall_ns, std::chrono::nanoseconds(chosen_.stall_threshold).count());
        s.begin(getpid());
        return s;
    }

    void look_around(stats::statistics& s) {
        if (log_) set_to(s.log_lines_lost, log_lines_lost_before_ + log_->dropped());
        set_to(s.error_log_lines_lost, error_lines_lost_before_ + log::lost());
        resources_.look(s);
    }

    // On the detector's thread.
    void tell_stall(const stall_report& r) {
        if (r.over) figures_.holds_no_more();
        else figures_.holds(r.activity, clock::now() - r.held);
        log::warning(r.text());
        // This worker may have been woken for a connection that would now wait for the stall to end.
        if (self_ && !r.over) server::share(self_->slots(), self_->slot()).call_another(clock::now());
    }

    [[nodiscard]] std::function<std::uint64_t()> served() {
        const auto& requests = server_->statistics().requests;
        return [&requests, before = requests.load()] { return requests.load() - before; };
    }

    // Without an arbiter this process accepts the connections that the kernel has already completed.
    task<void> stop_accepting() {
        for (const process::kept_socket& s : own_) process::turn_away(s);
        if (!own_.empty() && !quick_) co_await loop_.sleep(process::half_open_time);
        server_->stop_accepting();
        own_.clear();
        if (self_) self_->draining();
    }

    void on_signal(int signal) {
        if (signal == SIGWINCH) {
            if (server_) server_->called();
            return;
        }
        if (signal == SIGUSR1) return reopen_logs(log_ ? &*log_ : nullptr);
        if (signal != SIGTERM) quick_ = true;
        // A second signal closes all connections at once.
        if (asked_to_end_.is_set() && server_) server_->cut_off();
        asked_to_end_.set();
    }

    // A thread that runs a view cannot be stopped; the process can.
    [[noreturn]] void leave_behind(std::size_t views) {
        look_around(figures_);
        log::warning(fmt::format("exiting with {} views still running", views));
        log::flush();
        _exit(1);
    }

    app& app_;
    const settings& chosen_;
    process::child* self_;
    std::optional<stats::statistics_memory> own_figures_;  // without an arbiter
    stats::statistics& figures_;
    std::uint64_t log_lines_lost_before_;
    std::uint64_t error_lines_lost_before_;  // excludes lines lost before this process became a worker
    stats::resource_reader resources_;
    election election_;
    event_loop loop_;
    worker_kind kind_;
    std::vector<net::listening_socket> admin_sockets_;
    signal_watcher signals_;
    std::optional<access_log_file> log_;
    std::optional<stall_detector> stalls_;
    std::optional<server::server> server_;
    std::optional<admin_thread> admin_;
    std::optional<heartbeat> heartbeat_;
    std::vector<process::kept_socket> own_;  // without an arbiter
    event asked_to_end_;
    bool quick_ = false;
};

}  // namespace

int work(app& application, const settings& settings, std::vector<net::listening_socket> sockets, process::child* self,
         std::vector<net::listening_socket> admin, log::opening access_log) {
    return worker(application, settings, self, std::move(admin), access_log).run(std::move(sockets));
}

std::string start_text(app& application, const settings& settings, const std::vector<std::string>& urls,
                       std::string_view backend, std::string_view admin) {
    std::string text = fmt::format("Rondo {} serving, pid {}", version, getpid());
    for (const std::string& url : urls) text += fmt::format("\nlisten   {}", url);
    if (!admin.empty()) text += fmt::format("\nadmin    {}", admin);
    text += fmt::format("\nbackend  {}", backend);
    if (settings.workers > 0) text += fmt::format("\nworkers  {}", settings.workers);
    text += fmt::format("\nviews    {}", count_views(application));
    text += fmt::format("\nthreads  {}", threads_text(settings));
    return text;
}

}  // namespace rondo::cli
