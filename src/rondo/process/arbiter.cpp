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

constexpr int commands_per_turn = 16;

unique_fd inherited_or_new(unique_fd inherited) {
    unique_fd fd = inherited ? std::move(inherited) : unique_fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!fd) throw std::system_error(errno, std::generic_category(), "eventfd");
    return fd;
}

control_channel inherited_or_new(control_channel inherited) {
    return inherited.reader && inherited.writer ? std::move(inherited) : control_channel::make();
}

int milliseconds_until(instant at, instant now) {
    if (at <= now) return 0;
    auto ms = std::chrono::ceil<std::chrono::milliseconds>(at - now).count();
    return static_cast<int>(std::min<std::int64_t>(ms, 60'000));
}

}  // namespace

arbiter::state::state(arbiter_options o, handover inherited)
    : options(std::move(o)),
      received_handover(std::move(inherited)),
      signals({SIGHUP, SIGTERM, SIGINT, SIGQUIT, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD}),
      wakeup_fd(inherited_or_new(std::move(received_handover.wakeup_fd))),
      commands(inherited_or_new(std::move(received_handover.commands))),
      children(options, wakeup_fd.value(), commands.writer),
      own_pid_file(received_handover.reason == handover::kind::reload ? pid_file::adopt(received_handover.pid_file)
                                                                      : pid_file()),
      new_arbiter(received_handover.reason == handover::kind::reload ? received_handover.new_arbiter : 0),
      old_arbiter(received_handover.old_arbiter) {
    children.after_fork_in_child = [this] {
        // Before the signals are unblocked: a pending one would kill this child.
        discard_signals({SIGHUP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH});
        signals.release();
        commands.reader.reset();
        own_pid_file.disown();
        // Otherwise the old listeners would stay open as long as this child runs.
        retired_listeners.clear();
        if (running_check) running_check->disown();
        running_check.reset();
    };
}

int arbiter::state::run() {
    start();
    while (!(children.is_shutting_down() && children.empty())) turn();
    finish();
    return children.exit_status();
}

void arbiter::state::start() {
    instant now = clock::now();
    if (!options.pid_file.empty() && received_handover.reason == handover::kind::upgrade)
        own_pid_file.write(options.pid_file + ".2");
    else if (old_arbiter == 0 || own_pid_file.path().empty()) own_pid_file.write(options.pid_file);
    for (const handover::process& p : received_handover.children) children.adopt(p, now);
    children.set_generation(received_handover.generation + 1);
    retired_listeners = std::exchange(received_handover.listeners, {});
    reap(now);
}

void arbiter::state::turn() {
    instant now = clock::now();
    children.check(now);
    check_generation(now);
    if (now >= terminate_older_at || children.is_shutting_down() || !children.has_older() || !children.is_complete())
        children.reconcile(now);
    check_backlogs(now);
    check_old_arbiter();
    ping_watchdog(now);
    log::flush(0ms);  // lines that could not be written before
    if (children.is_shutting_down() && children.empty()) return;
    wait(now);
    now = clock::now();
    while (int signal = signals.next()) on_signal(signal, now);
    handle_commands(now);
    if (running_check && now >= running_check->deadline()) running_check->on_timeout();
}

void arbiter::state::wait(instant now) {
    instant until = std::min({children.next_check(now), terminate_older_at > now ? terminate_older_at : instant::max(),
                              systemd.watchdog_interval() > 0us ? next_watchdog_ping : instant::max(),
                              running_check ? running_check->deadline() : instant::max()});
    if (refusing_since != instant::max()) until = std::min<instant>(until, now + 5ms);
    std::array<pollfd, 4> fds{{{signals.fd(), POLLIN, 0},
                               {wakeup_fd.value(), POLLIN, 0},
                               {running_check ? running_check->output_fd() : -1, POLLIN, 0},
                               {commands.reader.value(), POLLIN, 0}}};
    if (poll(fds.data(), fds.size(), milliseconds_until(until, now)) <= 0) return;
    std::uint64_t count = 0;
    if (fds[1].revents && read(wakeup_fd.value(), &count, sizeof count) < 0) return;
    if (fds[2].revents) running_check->read_output();
}

void arbiter::state::on_signal(int signal, instant now) {
    if (signal == SIGCHLD) return reap(now);
    if (children.is_shutting_down() && signal != SIGTERM && signal != SIGINT && signal != SIGQUIT && signal != SIGUSR1)
        return;
    switch (signal) {
        case SIGHUP: return on_reload(now);
        case SIGTERM: return on_terminate(now);
        case SIGINT:
        case SIGQUIT: return on_quick_shutdown(now);
        case SIGTTIN: return children.scale(+1);
        case SIGTTOU: return children.scale(-1);
        case SIGUSR2: return start_new_arbiter();
        case SIGUSR1:
            if (options.on_reopen_logs) options.on_reopen_logs();
            return children.signal_all(SIGUSR1);
        case SIGWINCH:
            // Terminals also send it when they are resized.
            if (!new_arbiter) return;
            log::info("stopping the child processes; HUP starts them again, TERM stops this arbiter");
            return children.set_paused(true);
        default: return;
    }
}

// Limited per turn: commands must not keep this process from monitoring the children.
void arbiter::state::handle_commands(instant now) {
    for (int i = 0; i < commands_per_turn; ++i) {
        const std::optional<std::string> text = receive(commands.reader.value());
        if (!text) return;
        const std::optional<control_command> known = control_command::parse(*text);
        if (known) handle_commands(*known, now);
        else log::warning("unknown control command from a child");
    }
}

void arbiter::state::handle_commands(const control_command& command, instant now) {
    if (children.is_shutting_down()) return;
    switch (command.action) {
        case control_command::kind::reload: return on_reload(now);
        case control_command::kind::shut_down: return on_terminate(now);
        case control_command::kind::scale: return children.scale_to(command.children);
    }
}

void arbiter::state::reap(instant now) {
    for (;;) {
        int status = 0;
        pid_t exited = waitpid(-1, &status, WNOHANG);
        if (exited <= 0) return;
        if (running_check && exited == running_check->pid()) {
            on_config_checked(status);
        } else if (exited == new_arbiter) {
            log::warning(fmt::format("the new arbiter (process {}) has exited", exited));
            new_arbiter = 0;
        } else if (!children.on_reaped(exited, status, now)) {
            log::debug(fmt::format("reaped unknown process {}", exited));
        }
    }
}

void arbiter::state::check_generation(instant now) {
    if (children.is_shutting_down() || !children.is_complete()) return;
    // The older children keep serving, so their listeners are needed again.
    if (children.is_rolled_back())
        for (managed_listener& s : std::exchange(retired_listeners, {})) children.add_listener(std::move(s));
    if (children.has_older() && !retired_listeners.empty() && terminate_older_at == instant::max()) {
        refuse_new_on_retired();
        terminate_older_at = now + half_open_time;
    } else if (!children.has_older() || retired_listeners.empty()) {
        terminate_older_at = instant::min();
    }
    if (!children.has_older_accepting()) close_retired_listeners();
    if (std::exchange(ready_reported, true)) return;
    if (options.on_generation_ready) options.on_generation_ready();
    if (children.is_rolled_back()) log::info("reload rolled back; the previous workers keep serving");
    else if (received_handover.reason == handover::kind::reload) log::info("reloaded: " + children.summary());
    else if (options.on_ready) options.on_ready();
    systemd.ready(children.summary());
}

// Not while another arbiter shares the listeners.
void arbiter::state::refuse_new_on_retired() {
    if (shares_listeners()) return;
    for (managed_listener& s : retired_listeners) {
        refuse_new(s);
        s.file = {};  // from here on another process may create the path
    }
}

void arbiter::state::close_retired_listeners() {
    refuse_new_on_retired();
    retired_listeners.clear();
}

void arbiter::state::check_old_arbiter() {
    if (old_arbiter == 0 || getppid() == old_arbiter) return;
    old_arbiter = 0;
    log::info("the old arbiter has exited");
    own_pid_file.rename(options.pid_file);
}

void arbiter::state::ping_watchdog(instant now) {
    if (systemd.watchdog_interval() == 0us || now < next_watchdog_ping) return;
    systemd.ping_watchdog();
    next_watchdog_ping = now + std::chrono::duration_cast<clock::duration>(systemd.watchdog_interval());
}

arbiter::arbiter(arbiter_options options, handover inherited)
    : state_(std::make_unique<state>(std::move(options), std::move(inherited))) {}
arbiter::~arbiter() = default;

void arbiter::add_group(group_options g) { state_->children.add_group(std::move(g), state_->received_handover.tables); }
void arbiter::add_listener(managed_listener s) { state_->children.add_listener(std::move(s)); }
int arbiter::run() { return state_->run(); }

}  // namespace rondo::process
