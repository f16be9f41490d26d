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
#include <rondo/process/systemd.hpp>

namespace rondo::process {

/// The parts of an arbiter and its loop. Internal to this folder.
struct arbiter::state {
    state(arbiter_options o, handover inherited);

    int run();
    void start();
    void turn();
    void wait(instant now);
    void finish();

    // Signals and commands from children.
    void on_signal(int signal, instant now);
    void reap(instant now);
    void handle_commands(instant now);
    void handle_commands(const control_command& command, instant now);

    // Progress of a start, a reload or an upgrade.
    void check_generation(instant now);
    void refuse_new_on_retired();
    void close_retired_listeners();
    void check_old_arbiter();
    void ping_watchdog(instant now);

    // Re-execution and upgrade. (arbiter_reload.cpp)
    void on_reload(instant now);
    void on_config_checked(int status);
    void re_execute();
    void start_new_arbiter();
    [[nodiscard]] handover make_handover(handover::kind reason) const;

    // Shutdown. (arbiter_shutdown.cpp)
    void on_terminate(instant now);
    void on_quick_shutdown(instant now);
    void refuse_new_connections();
    [[nodiscard]] std::size_t pending_connections() const;
    void check_backlogs(instant now);
    void close_unused_listeners();
    [[nodiscard]] bool shares_listeners() const noexcept { return new_arbiter != 0 || old_arbiter != 0; }

    arbiter_options options;
    handover received_handover;
    signal_queue signals;
    unique_fd wakeup_fd;
    control_channel commands;
    child_processes children;
    pid_file own_pid_file;
    systemd_notifier systemd;

    std::optional<config_check> running_check;
    bool reload_pending = false;  ///< a reload was requested during the config check of another
    pid_t new_arbiter = 0;        ///< arbiter started by this one on USR2, 0: none
    pid_t old_arbiter = 0;        ///< arbiter that started this one on USR2, while it runs, 0: none
    std::vector<managed_listener> retired_listeners;
    instant terminate_older_at = instant::max();
    bool ready_reported = false;              ///< readiness of this generation was reported
    instant refusing_since = instant::max();  ///< when new connections were refused for shutdown
    instant next_watchdog_ping{};
};

}  // namespace rondo::process
