// SPDX-License-Identifier: Apache-2.0
#include <rondo/process/arbiter.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/process/arbiter_state.hpp>

namespace rondo::process {

using namespace std::chrono_literals;

namespace {

constexpr int orders_per_turn = 16;

unique_fd made_or_inherited(unique_fd inherited) {
    unique_fd fd = inherited ? std::move(inherited) : unique_fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!fd) throw std::system_error(errno, std::generic_category(), "eventfd");
    return fd;
}

order_line made_or_inherited(order_line inherited) {
    return inherited.reader && inherited.writer ? std::move(inherited) : order_line::make();
}

int milliseconds_until(instant at, instant now) {
    if (at <= now) return 0;
    auto ms = std::chrono::ceil<std::chrono::milliseconds>(at - now).count();
    return static_cast<int>(std::min<std::int64_t>(ms, 60'000));
}

}  // namespace

arbiter::state::state(arbiter_options o, inheritance inherited)
    : options(std::move(o)),
      left(std::move(inherited)),
      signals({SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD}),
      notify(made_or_inherited(std::move(left.notify))),
      orders(made_or_inherited(std::move(left.orders))),
      children(options, notify.value(), orders.writer),
      pid(left.what == inheritance::kind::reload ? pid_file::adopt(left.pid_file) : pid_file()),
      beside(left.what == inheritance::kind::reload ? left.beside : 0),
      predecessor(left.from) {
    children.in_child = [this] {
        // Before the signals are unblocked: a pending one would kill this child.
        swallow({SIGHUP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH});
        signals.release();
        orders.reader.reset();
        pid.disown();
        // Otherwise the old listeners would stay open as long as this child runs.
        retired.clear();
        if (trial) trial->disown();
        trial.reset();
    };
}

int arbiter::state::run() {
    begin();
    while (!(children.ending() && children.empty())) turn();
    finish();
    return children.status();
}

void arbiter::state::begin() {
    instant now = clock::now();
    if (!options.pid_file.empty() && left.what == inheritance::kind::upgrade) pid.write(options.pid_file + ".2");
    else if (predecessor == 0 || pid.path().empty()) pid.write(options.pid_file);
    for (const inheritance::process& p : left.children) children.adopt(p, now);
    children.begin_generation(left.generation + 1);
    retired = std::exchange(left.sockets, {});
    reap(now);
}

void arbiter::state::turn() {
    instant now = clock::now();
    children.look(now);
    look_at_generation(now);
    if (now >= retire_at || children.ending() || !children.older() || !children.complete()) children.settle(now);
    look_at_queues(now);
    look_at_predecessor();
    keep_watchdog_quiet(now);
    log::flush(0ms);  // lines that could not be written before
    if (children.ending() && children.empty()) return;
    wait(now);
    now = clock::now();
    while (int signal = signals.next()) on_signal(signal, now);
    obey(now);
    if (trial && now >= trial->until()) trial->give_up();
}

void arbiter::state::wait(instant now) {
    instant until =
        std::min({children.due(now), retire_at > now ? retire_at : instant::max(),
                  service.watchdog() > 0us ? alive_at : instant::max(), trial ? trial->until() : instant::max()});
    if (queues_since != instant::max()) until = std::min<instant>(until, now + 5ms);
    std::array<pollfd, 4> fds{{{signals.fd(), POLLIN, 0},
                               {notify.value(), POLLIN, 0},
                               {trial ? trial->output_fd() : -1, POLLIN, 0},
                               {orders.reader.value(), POLLIN, 0}}};
    if (poll(fds.data(), fds.size(), milliseconds_until(until, now)) <= 0) return;
    std::uint64_t count = 0;
    if (fds[1].revents && read(notify.value(), &count, sizeof count) < 0) return;
    if (fds[2].revents) trial->read_output();
}

void arbiter::state::on_signal(int signal, instant now) {
    if (signal == SIGCHLD) return reap(now);
    if (children.ending() && signal != SIGTERM && signal != SIGINT && signal != SIGQUIT && signal != SIGUSR1) return;
    switch (signal) {
        case SIGHUP: return on_hang_up(now);
        case SIGTERM: return on_terminate(now);
        case SIGINT:
        case SIGQUIT: return on_quick_end(now);
        case SIGTTIN: return children.scale(+1);
        case SIGTTOU: return children.scale(-1);
        case SIGUSR2: return start_beside();
        case SIGUSR1:
            if (options.on_reopen) options.on_reopen();
            return children.tell_all(SIGUSR1);
        case SIGWINCH:
            // Terminals also send it when they are resized.
            if (!beside) return;
            log::info("stopping the child processes; HUP starts them again, TERM stops this arbiter");
            return children.pause(true);
        default: return;
    }
}

// Limited per turn: commands must not keep this process from monitoring the children.
void arbiter::state::obey(instant now) {
    for (int i = 0; i < orders_per_turn; ++i) {
        const std::optional<std::string> text = receive(orders.reader.value());
        if (!text) return;
        const std::optional<order> known = order::parse(*text);
        if (known) obey(*known, now);
        else log::warning("unknown control command from a child");
    }
}

void arbiter::state::obey(const order& command, instant now) {
    if (children.ending()) return;
    switch (command.what) {
        case order::kind::reload: return on_hang_up(now);
        case order::kind::end: return on_terminate(now);
        case order::kind::scale: return children.scale_to(command.children);
    }
}

void arbiter::state::reap(instant now) {
    for (;;) {
        int status = 0;
        pid_t exited = waitpid(-1, &status, WNOHANG);
        if (exited <= 0) return;
        if (trial && exited == trial->pid()) {
            rehearsed(status);
        } else if (exited == beside) {
            log::warning(fmt::format("the new arbiter (process {}) has exited", exited));
            beside = 0;
        } else if (!children.reaped(exited, status, now)) {
            log::debug(fmt::format("reaped unknown process {}", exited));
        }
    }
}

void arbiter::state::look_at_generation(instant now) {
    if (children.ending() || !children.complete()) return;
    // The older children keep serving, so their listeners are needed again.
    if (children.kept_older())
        for (kept_socket& s : std::exchange(retired, {})) children.keep(std::move(s));
    if (children.older() && !retired.empty() && retire_at == instant::max()) {
        turn_retired_away();
        retire_at = now + half_open_time;
    } else if (!children.older() || retired.empty()) {
        retire_at = instant::min();
    }
    if (!children.older_accept()) close_retired();
    if (std::exchange(told_ready, true)) return;
    if (options.on_complete) options.on_complete();
    if (children.kept_older()) log::info("reload rolled back; the previous workers keep serving");
    else if (left.what == inheritance::kind::reload) log::info("reloaded: " + children.summary());
    else if (options.on_ready) options.on_ready();
    service.ready(children.summary());
}

// Not while another arbiter shares the listeners.
void arbiter::state::turn_retired_away() {
    if (shares_sockets()) return;
    for (kept_socket& s : retired) {
        turn_away(s);
        s.file = {};  // from here on another process may create the path
    }
}

void arbiter::state::close_retired() {
    turn_retired_away();
    retired.clear();
}

void arbiter::state::look_at_predecessor() {
    if (predecessor == 0 || getppid() == predecessor) return;
    predecessor = 0;
    log::info("the old arbiter has exited");
    pid.rename(options.pid_file);
}

void arbiter::state::keep_watchdog_quiet(instant now) {
    if (service.watchdog() == 0us || now < alive_at) return;
    service.alive();
    alive_at = now + std::chrono::duration_cast<clock::duration>(service.watchdog());
}

arbiter::arbiter(arbiter_options options, inheritance inherited)
    : state_(std::make_unique<state>(std::move(options), std::move(inherited))) {}
arbiter::~arbiter() = default;

void arbiter::add(group g) { state_->children.add(std::move(g), state_->left.tables); }
void arbiter::keep(kept_socket s) { state_->children.keep(std::move(s)); }
int arbiter::run() { return state_->run(); }

}  // namespace rondo::process
