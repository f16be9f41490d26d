// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/serve.hpp>

#include <csignal>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/base/version.hpp>
#include <rondo/cli/access_log.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/pool.hpp>
#include <rondo/loop/signals.hpp>
#include <rondo/loop/stall_detector.hpp>
#include <rondo/server/server.hpp>
#include <rondo/web/app.hpp>

namespace rondo::cli {

namespace {

using namespace std::chrono_literals;

constexpr int compute_nice = 10;

// Every connection is a descriptor: the soft limit of 1024 is for programs that use select().
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit)) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

std::vector<net::listening_socket> listen_on_all(const settings& chosen) {
    std::vector<net::listening_socket> sockets;
    for (const net::bind_address& at : chosen.binds)
        for (net::listening_socket& s : net::listen(at, chosen.listening)) sockets.push_back(std::move(s));
    return sockets;
}

std::string count_views(app& application) {
    std::size_t async = 0;
    std::size_t sync = 0;
    std::size_t cpu = 0;
    for (const route_info& r : application.routes()) {
        if (r.kind == view_kind::async) ++async;
        else if (r.kind == view_kind::sync) ++sync;
        else ++cpu;
    }
    return fmt::format("{} async, {} sync, {} cpu", async, sync, cpu);
}

// The life of one process: made, started, serving until a signal, drained.
class worker {
public:
    worker(app& application, const settings& chosen)
        : app_(application),
          chosen_(chosen),
          loop_({chosen.backend}),
          blocking_({.name = "blocking", .threads = chosen.threads, .queue = chosen.thread_queue, .nice = 0}),
          compute_({.name = "compute",
                    .threads = chosen.compute_threads,
                    .queue = chosen.compute_queue,
                    .nice = compute_nice}),
          signals_(loop_, {SIGTERM, SIGINT, SIGQUIT, SIGUSR1}, [this](int signal) { on_signal(signal); }) {
        loop_.use_pools(&blocking_, &compute_);
        if (chosen.access_log != "off") log_.emplace(chosen.access_log, chosen.access_log_format);
        if (log_) app_.access_log(&*log_);
        if (chosen.stall_threshold > 0ms) stalls_.emplace(loop_, stall_options{.threshold = chosen.stall_threshold});
    }
    ~worker() { app_.access_log(nullptr); }

    int run(std::vector<net::listening_socket> sockets) { return loop_.run_until(live(std::move(sockets))); }

private:
    task<int> live(std::vector<net::listening_socket> sockets) {
        co_await app_.startup();
        server_.emplace(loop_, app_, chosen_.limits);
        server_->watch(blocking_, compute_);
        announce(sockets);
        for (net::listening_socket& s : sockets) server_->accept_from(std::move(s));
        co_await asked_to_end_.wait();
        log::info(fmt::format("ending: {} connections open", server_->connections()));
        co_await server_->drain(quick_ ? 0s : std::chrono::duration_cast<clock::duration>(chosen_.graceful_timeout));
        // A thread counts as running for a moment after it handed over its result.
        for (instant end = from_now(1s); running() > 0 && clock::now() < end;) co_await loop_.sleep(10ms);
        if (running() > 0) leave_behind(running());
        server_.reset();
        co_await app_.shutdown();
        log::info("ended");
        co_return 0;
    }

    void announce(const std::vector<net::listening_socket>& sockets) {
        std::string text = fmt::format("Rondo {} serves, process {}", version, getpid());
        for (const net::listening_socket& s : sockets) text += fmt::format("\nat       {}", s.url);
        text += fmt::format("\nbackend  {}", loop_.io().name());
        text += fmt::format("\nviews    {}", count_views(app_));
        text += fmt::format("\nthreads  up to {} for sync views, {} for cpu views", chosen_.threads,
                            chosen_.compute_threads);
        log::info(text);
    }

    void on_signal(int signal) {
        if (signal == SIGUSR1) {
            log::reopen();
            if (log_) log_->reopen();
            return;
        }
        if (signal != SIGTERM) quick_ = true;
        // Asked twice: whoever asks does not want to wait.
        if (asked_to_end_.is_set() && server_) server_->cut_off();
        asked_to_end_.set();
    }

    [[nodiscard]] std::size_t running() const noexcept { return blocking_.running() + compute_.running(); }

    // A thread that runs a view cannot be stopped from outside; the process can.
    [[noreturn]] void leave_behind(std::size_t views) {
        log::warning(fmt::format("{} sync or cpu views did not return in time: the process ends without them", views));
        log::flush();
        _exit(1);
    }

    app& app_;
    const settings& chosen_;
    event_loop loop_;
    thread_pool blocking_;
    thread_pool compute_;
    signal_watcher signals_;
    std::optional<access_log_file> log_;
    std::optional<stall_detector> stalls_;
    std::optional<server::server> server_;
    event asked_to_end_;
    bool quick_ = false;
};

}  // namespace

int serve(app& application, const settings& chosen) {
    application.check();
    log::threshold(chosen.log_level);
    log::to(chosen.error_log);
    raise_descriptor_limit();
    std::signal(SIGPIPE, SIG_IGN);
    std::vector<net::listening_socket> sockets = listen_on_all(chosen);
    int status = worker(application, chosen).run(std::move(sockets));
    log::flush();
    return status;
}

}  // namespace rondo::cli
