// SPDX-License-Identifier: Apache-2.0
// Reload and binary upgrade: config check, re-execution, and a second arbiter started from the current program.
#include <csignal>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/base/log_output.hpp>
#include <rondo/process/arbiter_state.hpp>

namespace rondo::process {

using namespace std::chrono_literals;

handover arbiter::state::make_handover(handover::kind reason) const {
    bool check = reason == handover::kind::check;
    handover next;
    next.reason = reason;
    next.old_arbiter = reason == handover::kind::reload ? old_arbiter : getpid();
    auto copy = [&](const managed_listener& s) {
        next.listeners.push_back(
            {s.group, s.key, check ? unique_fd() : duplicate(s.fd.value()), s.url, s.file, s.externally_owned});
    };
    for (const managed_listener& s : children.listeners()) copy(s);
    if (reason != handover::kind::reload) return next;
    for (const managed_listener& s : retired_listeners) copy(s);
    next.new_arbiter = new_arbiter;
    next.pid_file = own_pid_file.path();
    next.wakeup_fd = duplicate(wakeup_fd.value());
    next.commands = {duplicate(commands.reader.value()), duplicate(commands.writer.value())};
    children.add_to_handover(next);
    return next;
}

void arbiter::state::on_reload(instant now) {
    if (children.is_paused()) {
        log::info("starting the child processes again");
        return children.set_paused(false);
    }
    if (running_check) {
        reload_pending = true;
        return;
    }
    log::info("reload: checking the program and its settings");
    systemd.reloading();
    try {
        // The signals stay blocked: the executed program reads them when it is ready.
        auto prepare = [this] { make_handover(handover::kind::check).export_to_environment(getpid()); };
        running_check.emplace(options.program, prepare, now + options.boot_timeout);
    } catch (const std::exception& e) {
        log::error(fmt::format("reload failed, still running the old configuration: {}", e.what()));
        systemd.ready(children.summary());
    }
}

void arbiter::state::on_config_checked(int status) {
    bool valid = running_check->on_exit(status);
    if (!valid) log::error("reload failed, still running the old configuration: " + running_check->error_message());
    bool check_again = std::exchange(reload_pending, false);
    running_check.reset();
    if (children.is_shutting_down()) return;
    if (check_again) return on_reload(clock::now());
    if (valid) re_execute();
    systemd.ready(children.summary());
}

void arbiter::state::re_execute() {
    try {
        handover next = make_handover(handover::kind::reload);
        next.export_to_environment(getpid());
        log::flush();
        log::flush_standard_streams();
        char directory[4096];
        int error = options.program.execute(getcwd(directory, sizeof directory) ? directory : "/");
        next.unset_environment();
        log::error(fmt::format("reload failed, still running the old configuration: {}: {}", options.program.path(),
                               std::generic_category().message(error)));
    } catch (const std::exception& e) {
        log::error(fmt::format("reload failed, still running the old configuration: {}", e.what()));
    }
}

void arbiter::state::start_new_arbiter() {
    if (new_arbiter || old_arbiter) {
        log::warning("another arbiter is already running; stop one of the two first (TERM)");
        return;
    }
    log::flush(0ms);
    log::flush_standard_streams();
    pid_t self = getpid();
    pid_t child_pid = fork();
    if (child_pid == 0) {
        try {
            // The signals stay blocked: the executed program reads them when it is ready.
            handover next = make_handover(handover::kind::upgrade);
            next.old_arbiter = self;
            next.export_to_environment(getpid());
            int error = options.program.execute();
            log::error(fmt::format("{}: {}", options.program.path(), std::generic_category().message(error)));
        } catch (const std::exception& e) {
            log::error(e.what());
        }
        log::flush();
        _exit(1);
    }
    if (child_pid < 0) {
        log::error(fmt::format("cannot start a second arbiter: {}", std::generic_category().message(errno)));
        return;
    }
    new_arbiter = child_pid;
    log::info(fmt::format("started a second arbiter: process {}", new_arbiter));
}

}  // namespace rondo::process
