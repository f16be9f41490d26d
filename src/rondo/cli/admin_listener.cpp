// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/admin_listener.hpp>

#include <csignal>
#include <exception>
#include <future>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <rondo/admin/admin_app.hpp>
#include <rondo/admin/arbiter_backend.hpp>
#include <rondo/base/log.hpp>
#include <rondo/base/thread.hpp>
#include <rondo/cli/heartbeat.hpp>
#include <rondo/cli/log_files.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/loop/signals.hpp>
#include <rondo/server/server.hpp>

namespace rondo::cli {

namespace {

using namespace std::chrono_literals;

constexpr unsigned owner_only_mode = 0600;

// The backend of a server without an arbiter.
class standalone_backend final : public admin::admin_backend {
public:
    explicit standalone_backend(const stats::worker_stats& counters) noexcept : counters_(counters) {}

    [[nodiscard]] std::vector<admin::worker_source> workers() override {
        admin::worker_source w;
        w.name = "0";
        w.counters = &counters_;
        w.alive = true;
        w.pid = getpid();
        w.resident_bytes = admin::resident_bytes(w.pid);
        return {std::move(w)};
    }
    [[nodiscard]] std::vector<admin::compute_source> compute_processes() override { return {}; }
    [[nodiscard]] std::string reload() override { return unsupported_reason("reload"); }
    [[nodiscard]] std::string drain() override {
        // A second SIGTERM would stop the server at once.
        if (!std::exchange(drain_requested_, true)) kill(getpid(), SIGTERM);
        return {};
    }
    [[nodiscard]] std::string scale(std::size_t) override { return unsupported_reason("scale"); }

private:
    static std::string unsupported_reason(std::string_view action) {
        return fmt::format("cannot {} without an arbiter; start the server with --workers 1 or more", action);
    }
    const stats::worker_stats& counters_;
    bool drain_requested_ = false;
};

// Serves the admin application until `stop` is set.
task<void> serve_admin_app(event_loop& loop, app& application, std::vector<net::listening_socket> sockets, event& stop,
                           std::function<void()> ready) {
    co_await application.startup();
    server::server admin_server(loop, application);
    for (net::listening_socket& s : sockets) admin_server.accept_from(std::move(s));
    ready();
    co_await stop.wait();
    co_await admin_server.drain(1s);
    co_await application.shutdown();
}

class admin_process {
public:
    admin_process(process::child& self, const std::string& workers)
        : self_(self),
          signals_(loop_, {SIGTERM, SIGINT, SIGQUIT, SIGUSR1}, [this](int signal) { on_signal(signal); }),
          backend_(self, workers),
          admin_app_(backend_),
          application_(admin_app_.make_app()) {}

    int run() { return loop_.run_until(serve()); }

private:
    task<int> serve() {
        std::vector<net::listening_socket> sockets;
        for (process::managed_listener& s : self_.listeners())
            sockets.push_back({std::move(s.fd), s.url, s.file, s.externally_owned});
        std::function<void()> ready = [this] {
            heartbeat_.emplace(self_, loop_, recycle_limits{}, [] { return std::uint64_t{0}; });
            self_.set_ready();
        };
        co_await serve_admin_app(loop_, application_, std::move(sockets), stop_requested_, std::move(ready));
        heartbeat_.reset();
        co_return 0;
    }
    void on_signal(int signal) {
        if (signal == SIGUSR1) return reopen_logs();
        stop_requested_.set();
    }

    process::child& self_;
    event_loop loop_;
    signal_watcher signals_;
    admin::arbiter_backend backend_;
    admin::admin_app admin_app_;
    app application_;
    std::optional<heartbeat> heartbeat_;
    event stop_requested_;
};

void require_local_socket(const net::listening_socket& passed, bool allowed) {
    constexpr std::string_view tcp = "http://";
    if (passed.url.starts_with(tcp))
        return admin::require_local_address(net::bind_address::parse(passed.url.substr(tcp.size())), allowed);
    if (!passed.url.starts_with("unix:"))
        throw std::runtime_error("admin: the passed socket is neither a TCP socket nor a unix socket");
}

}  // namespace

std::vector<net::listening_socket> listen_admin(const server_settings& settings) {
    if (!settings.admin) return {};
    admin::require_local_address(*settings.admin, settings.admin_remote);
    std::vector<net::listening_socket> sockets = net::listen(*settings.admin, {.mode = owner_only_mode});
    // Checks a passed socket by the address it is bound to.
    if (settings.admin->type == net::bind_address::kind::inherited)
        for (const net::listening_socket& s : sockets) require_local_socket(s, settings.admin_remote);
    return sockets;
}

int serve_admin(process::child& self, const std::string& workers) {
    pthread_setname_np(pthread_self(), "rondo-admin");
    return admin_process(self, workers).run();
}

struct admin_thread::state {
    state(std::vector<net::listening_socket> s, const stats::worker_stats& counters)
        : sockets(std::move(s)), backend(counters), admin_app(backend), application(admin_app.make_app()) {}

    void run() {
        event_loop local_loop;
        loop = &local_loop;
        try {
            local_loop.run_until(serve_admin_app(local_loop, application, std::move(sockets), stop_requested,
                                                 [this] { started.set_value(); }));
        } catch (...) {
            if (!report_failure(std::current_exception())) return;
        }
        may_exit.get_future().wait();  // the destructor may still be posting to the loop
    }
    // Returns false when the start failed.
    bool report_failure(const std::exception_ptr& error) noexcept {
        try {
            started.set_exception(error);
            return false;
        } catch (const std::future_error&) {
            log::error("the admin listener failed unexpectedly");
            return true;
        }
    }

    std::vector<net::listening_socket> sockets;
    standalone_backend backend;
    admin::admin_app admin_app;
    app application;
    event_loop* loop = nullptr;
    event stop_requested;
    std::promise<void> started;
    std::promise<void> may_exit;
    named_thread thread;
};

admin_thread::admin_thread(std::vector<net::listening_socket> sockets, const stats::worker_stats& counters)
    : state_(std::make_unique<state>(std::move(sockets), counters)) {
    state_->thread = named_thread("rondo-admin", [s = state_.get()] { s->run(); });
    try {
        state_->started.get_future().get();
    } catch (...) {
        state_->thread.join();
        throw;
    }
}

admin_thread::~admin_thread() {
    state_->loop->post([s = state_.get()] { s->stop_requested.set(); });
    state_->may_exit.set_value();
    state_->thread.join();
}

}  // namespace rondo::cli
