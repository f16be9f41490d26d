// SPDX-License-Identifier: Apache-2.0
// Private state and event loop of the arbiter, shared by its source files.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <rondo/base/clock.hpp>
#include <rondo/process/arbiter.hpp>
#include <rondo/process/child_processes.hpp>
#include <rondo/process/config_check.hpp>
#include <rondo/process/control_command.hpp>
#include <rondo/process/pid_file.hpp>
#include <rondo/process/signal_queue.hpp>
#include <rondo/process/systemd_notifier.hpp>

namespace rondo::process {

/// The parts of an arbiter and its loop. Internal to this folder.
struct arbiter::state {
    state(arbiter_options o, inheritance inherited);

    int run();
    void begin();
    void turn();
    void wait(instant now);
    void finish();

    // Signals and commands from children.
    void on_signal(int signal, instant now);
    void reap(instant now);
    void obey(instant now);
    void obey(const order& command, instant now);

    // Progress of a start, a reload or an upgrade.
    void look_at_generation(instant now);
    void turn_retired_away();
    void close_retired();
    void look_at_predecessor();
    void keep_watchdog_quiet(instant now);

    // Re-execution and upgrade. (arbiter_reload.cpp)
    void on_hang_up(instant now);
    void rehearsed(int status);
    void re_execute();
    void start_beside();
    [[nodiscard]] inheritance bequest(inheritance::kind reason) const;

    // Shutdown. (arbiter_shutdown.cpp)
    void on_terminate(instant now);
    void on_quick_end(instant now);
    void turn_clients_away();
    [[nodiscard]] std::size_t clients_waiting() const;
    void look_at_queues(instant now);
    void close_unused_sockets();
    [[nodiscard]] bool shares_sockets() const noexcept { return beside != 0 || predecessor != 0; }

    arbiter_options options;
    inheritance left;
    signal_queue signals;
    unique_fd notify;
    order_line orders;
    family children;
    pid_file pid;
    supervisor service;

    std::optional<rehearsal> trial;
    bool hang_up_again = false;  ///< a reload was requested during the config check of another
    pid_t beside = 0;            ///< arbiter started by this one on USR2, 0: none
    pid_t predecessor = 0;       ///< arbiter that started this one on USR2, while it runs, 0: none
    std::vector<kept_socket> retired;
    instant retire_at = instant::max();
    bool told_ready = false;                ///< readiness of this generation was reported
    instant queues_since = instant::max();  ///< when new connections were refused for shutdown
    instant alive_at{};
};

}  // namespace rondo::process
