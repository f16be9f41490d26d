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

constexpr unsigned owner_only = 0600;

// The backend of a server without an arbiter.
class own_operations final : public admin::operations {
public:
    explicit own_operations(const stats::statistics& counters) noexcept : figures_(counters) {}

    [[nodiscard]] std::vector<admin::worker_source> workers() override {
        admin::worker_source w;
        w.name = "0";
        w.figures = &figures_;
        w.alive = true;
        w.process = getpid();
        w.resident_bytes = admin::resident_bytes(w.process);
        return {std::move(w)};
    }
    [[nodiscard]] std::vector<admin::compute_source> computers() override { return {}; }
    [[nodiscard]] std::string reload() override { return hindrance("reload"); }
    [[nodiscard]] std::string drain() override {
        // A second SIGTERM would stop the server at once.
        if (!std::exchange(asked_to_end_, true)) kill(getpid(), SIGTERM);
        return {};
    }
    [[nodiscard]] std::string scale(std::size_t) override { return hindrance("scale"); }

private:
    static std::string hindrance(std::string_view action) {
        return fmt::format("cannot {} without an arbiter; start the server with --workers 1 or more", action);
    }
    const stats::statistics& figures_;
    bool asked_to_end_ = false;
};

// Serves the admin application until `stop` is set.
task<void> serve_pages(event_loop& loop, app& application, std::vector<net::listening_socket> sockets, event& stop,
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
          what_(self, workers),
          of_(what_),
          pages_(of_.make()) {}

    int run() { return loop_.run_until(live()); }

private:
    task<int> live() {
        std::vector<net::listening_socket> sockets;
        for (process::kept_socket& s : self_.sockets()) sockets.push_back({std::move(s.fd), s.url, s.file, s.foreign});
        std::function<void()> ready = [this] {
            beats_.emplace(self_, loop_, lifetime{}, [] { return std::uint64_t{0}; });
            self_.ready();
        };
        co_await serve_pages(loop_, pages_, std::move(sockets), asked_to_end_, std::move(ready));
        beats_.reset();
        co_return 0;
    }
    void on_signal(int signal) {
        if (signal == SIGUSR1) return reopen_logs();
        asked_to_end_.set();
    }

    process::child& self_;
    event_loop loop_;
    signal_watcher signals_;
    admin::arbiter_operations what_;
    admin::admin_pages of_;
    app pages_;
    std::optional<heartbeat> beats_;
    event asked_to_end_;
};

void require_private(const net::listening_socket& passed, bool allowed) {
    constexpr std::string_view tcp = "http://";
    if (passed.url.starts_with(tcp))
        return admin::require_private(net::bind_address::parse(passed.url.substr(tcp.size())), allowed);
    if (!passed.url.starts_with("unix:"))
        throw std::runtime_error("admin: the passed socket is neither a TCP socket nor a unix socket");
}

}  // namespace

std::vector<net::listening_socket> listen_for_admin(const settings& settings) {
    if (!settings.admin) return {};
    admin::require_private(*settings.admin, settings.admin_remote);
    std::vector<net::listening_socket> sockets = net::listen(*settings.admin, {.mode = owner_only});
    // Checks a passed socket by the address it is bound to.
    if (settings.admin->what == net::bind_address::kind::inherited)
        for (const net::listening_socket& s : sockets) require_private(s, settings.admin_remote);
    return sockets;
}

int serve_admin(process::child& self, const std::string& workers) {
    pthread_setname_np(pthread_self(), "rondo-admin");
    return admin_process(self, workers).run();
}

struct admin_thread::state {
    state(std::vector<net::listening_socket> s, const stats::statistics& counters)
        : sockets(std::move(s)), what(counters), of(what), pages(of.make()) {}

    void run() {
        event_loop local_loop;
        loop = &local_loop;
        try {
            local_loop.run_until(
                serve_pages(local_loop, pages, std::move(sockets), asked_to_end, [this] { start.set_value(); }));
        } catch (...) {
            if (!tell_failure(std::current_exception())) return;
        }
        ended.get_future().wait();  // the destructor may still be posting to the loop
    }
    // Returns false when the start failed.
    bool tell_failure(const std::exception_ptr& error) noexcept {
        try {
            start.set_exception(error);
            return false;
        } catch (const std::future_error&) {
            log::error("the admin listener failed unexpectedly");
            return true;
        }
    }

    std::vector<net::listening_socket> sockets;
    own_operations what;
    admin::admin_pages of;
    app pages;
    event_loop* loop = nullptr;
    event asked_to_end;
    std::promise<void> start;
    std::promise<void> ended;
    named_thread thread;
};

admin_thread::admin_thread(std::vector<net::listening_socket> sockets, const stats::statistics& counters)
    : state_(std::make_unique<state>(std::move(sockets), counters)) {
    state_->thread = named_thread("rondo-admin", [s = state_.get()] { s->run(); });
    try {
        state_->start.get_future().get();
    } catch (...) {
        state_->thread.join();
        throw;
    }
}

admin_thread::~admin_thread() {
    state_->loop->post([s = state_.get()] { s->asked_to_end.set(); });
    state_->ended.set_value();
    state_->thread.join();
}

}  // namespace rondo::cli
