// SPDX-License-Identifier: Apache-2.0
// The part of an arbiter that brings in another image of the program.
#include <csignal>
#include <system_error>

#include <fmt/format.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/base/log_output.hpp>
#include <rondo/process/arbiter_state.hpp>

namespace rondo::process {

using namespace std::chrono_literals;

inheritance arbiter::state::bequest(inheritance::kind what) const {
    bool check = what == inheritance::kind::check;
    inheritance next;
    next.what = what;
    next.from = what == inheritance::kind::reload ? predecessor : getpid();
    auto copy = [&](const kept_socket& s) {
        next.sockets.push_back(
            {s.group, s.key, check ? unique_fd() : duplicate(s.fd.value()), s.url, s.file, s.foreign});
    };
    for (const kept_socket& s : children.sockets()) copy(s);
    if (what != inheritance::kind::reload) return next;
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
        log::info("the children are started again");
        return children.pause(false);
    }
    if (trial) {
        hang_up_again = true;
        return;
    }
    log::info("asked to reload: the program and its settings are checked");
    service.reloading();
    try {
        // The signals stay blocked: the program that is executed takes them when it can.
        auto prepare = [this] { bequest(inheritance::kind::check).leave_to(getpid()); };
        trial.emplace(options.program, prepare, now + options.boot_timeout);
    } catch (const std::exception& e) {
        log::error(fmt::format("the reload is given up, everything stays as it is: {}", e.what()));
        service.ready(children.summary());
    }
}

void arbiter::state::rehearsed(int status) {
    bool good = trial->ended(status);
    if (!good) log::error("the reload is given up, everything stays as it is: " + trial->complaint());
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
        char here[4096];
        int error = options.program.execute(getcwd(here, sizeof here) ? here : "/");
        next.withdraw();
        log::error(fmt::format("the reload is given up, everything stays as it is: {}: {}", options.program.path(),
                               std::generic_category().message(error)));
    } catch (const std::exception& e) {
        log::error(fmt::format("the reload is given up, everything stays as it is: {}", e.what()));
    }
}

void arbiter::state::start_beside() {
    if (beside || predecessor) {
        log::warning("there is another arbiter already: end one of the two first (TERM)");
        return;
    }
    log::flush(0ms);
    log::flush_standard_streams();
    pid_t self = getpid();
    pid_t pid_of_other = fork();
    if (pid_of_other == 0) {
        try {
            // The signals stay blocked: the program that is executed takes them when it can.
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
        log::error(fmt::format("no second arbiter can be started: {}", std::generic_category().message(errno)));
        return;
    }
    beside = pid_of_other;
    log::info(fmt::format("a second arbiter is started beside this one: process {}", beside));
}

}  // namespace rondo::process
