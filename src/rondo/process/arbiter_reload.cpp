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

inheritance arbiter::state::bequest(inheritance::kind reason) const {
    bool check = reason == inheritance::kind::check;
    inheritance next;
    next.what = reason;
    next.from = reason == inheritance::kind::reload ? predecessor : getpid();
    auto copy = [&](const kept_socket& s) {
        next.sockets.push_back(
            {s.group, s.key, check ? unique_fd() : duplicate(s.fd.value()), s.url, s.file, s.foreign});
    };
    for (const kept_socket& s : children.sockets()) copy(s);
    if (reason != inheritance::kind::reload) return next;
    for (const kept_socket& s : retired) copy(s);
    next.beside = beside;
    next.pid_file = pid.path();
    next.notify = duplicate(notify.value());
    next.orders = {duplicate(orders.reader.value()), duplicate(orders.writer.value())};
    children.leave(next);
    return next;
}

void arbiter::state::on_hang_up(instant now) {
    if (children.paused()) {
        log::info("starting the child processes again");
        return children.pause(false);
    }
    if (trial) {
        hang_up_again = true;
        return;
    }
    log::info("reload: checking the program and its settings");
    service.reloading();
    try {
        // The signals stay blocked: the executed program reads them when it is ready.
        auto prepare = [this] { bequest(inheritance::kind::check).leave_to(getpid()); };
        trial.emplace(options.program, prepare, now + options.boot_timeout);
    } catch (const std::exception& e) {
        log::error(fmt::format("reload failed, still running the old configuration: {}", e.what()));
        service.ready(children.summary());
    }
}

void arbiter::state::rehearsed(int status) {
    bool good = trial->ended(status);
    if (!good) log::error("reload failed, still running the old configuration: " + trial->complaint());
    bool again = std::exchange(hang_up_again, false);
    trial.reset();
    if (children.ending()) return;
    if (again) return on_hang_up(clock::now());
    if (good) re_execute();
    service.ready(children.summary());
}

void arbiter::state::re_execute() {
    try {
        inheritance next = bequest(inheritance::kind::reload);
        next.leave_to(getpid());
        log::flush();
        log::flush_standard_streams();
        char directory[4096];
        int error = options.program.execute(getcwd(directory, sizeof directory) ? directory : "/");
        next.withdraw();
        log::error(fmt::format("reload failed, still running the old configuration: {}: {}", options.program.path(),
                               std::generic_category().message(error)));
    } catch (const std::exception& e) {
        log::error(fmt::format("reload failed, still running the old configuration: {}", e.what()));
    }
}

void arbiter::state::start_beside() {
    if (beside || predecessor) {
        log::warning("another arbiter is already running; stop one of the two first (TERM)");
        return;
    }
    log::flush(0ms);
    log::flush_standard_streams();
    pid_t self = getpid();
    pid_t pid_of_other = fork();
    if (pid_of_other == 0) {
        try {
            // The signals stay blocked: the executed program reads them when it is ready.
            inheritance next = bequest(inheritance::kind::upgrade);
            next.from = self;
            next.leave_to(getpid());
            int error = options.program.execute();
            log::error(fmt::format("{}: {}", options.program.path(), std::generic_category().message(error)));
        } catch (const std::exception& e) {
            log::error(e.what());
        }
        log::flush();
        _exit(1);
    }
    if (pid_of_other < 0) {
        log::error(fmt::format("cannot start a second arbiter: {}", std::generic_category().message(errno)));
        return;
    }
    beside = pid_of_other;
    log::info(fmt::format("started a second arbiter: process {}", beside));
}

}  // namespace rondo::process
