// SPDX-License-Identifier: Apache-2.0
// What the command line serves: an application with its settings, its checks and what it starts and ends in a process.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/base/clock.hpp>
#include <rondo/cli/settings/help_text.hpp>
#include <rondo/cli/settings/settings.hpp>
#include <rondo/cli/settings/sources.hpp>
#include <rondo/cli/settings/table.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/handler/application.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/process/arbiter.hpp>
#include <rondo/process/fork_hooks.hpp>
#include <rondo/server/server.hpp>
#include <rondo/stats/worker_stats.hpp>
#include <rondo/web/access_log.hpp>

namespace rondo::cli {

/// A route as the command `routes` prints it.
struct served_route {
    std::string methods;  ///< "GET, HEAD"; "any"
    std::string pattern;
    std::string kind;  ///< of its view: "async"
};

/// What the command line serves: an application with its settings, its checks and what it starts and ends in a process.
/// By default these functions do nothing and return nothing.
class served {
public:
    served() = default;
    virtual ~served() = default;
    served(const served&) = delete;
    served& operator=(const served&) = delete;

    // The command line.

    /// The first line of --help.
    [[nodiscard]] virtual std::string_view description() const;
    /// The placeholder of the one positional argument that `serve`, `routes` and `check` require: "APP"; "" for none.
    [[nodiscard]] virtual std::string_view argument() const;
    /// The error without that argument: "missing APP: expected MODULE:ATTRIBUTE".
    [[nodiscard]] virtual std::string missing_argument_text() const;
    /// Called with that argument before default_values(). An exception is reported as an error of the command line.
    virtual void set_argument(const std::string& text);
    /// The application's own settings, in addition to those of the framework. Called once, first.
    [[nodiscard]] virtual std::vector<setting_row> setting_rows();
    /// The defaults that the application sets for these settings.
    [[nodiscard]] virtual setting_source default_values(std::span<const setting_row> rows);
    /// The application's own commands, in addition to the built-in ones.
    [[nodiscard]] virtual std::vector<command_info> commands() const;
    /// True when this command of the application accepts positional arguments.
    [[nodiscard]] virtual bool takes_arguments(std::string_view command) const;
    /// Runs a command of the application. Returns its exit status.
    [[nodiscard]] virtual int run_command(const command_line& line);
    /// Called with the parsed settings before any command runs; may replace settings that are automatic. An exception
    /// ends the program with its text.
    virtual void configure(server_settings& settings);
    [[nodiscard]] virtual std::vector<served_route> routes() const;

    // Checks and texts.

    /// Appends a message for each problem that would prevent a start. Called by `check` and before a reload, in a
    /// process that serves nothing.
    virtual void check(const server_settings& settings, std::vector<std::string>& errors);
    /// Called by `serve` in its first process, before it opens anything. Throws when the start must fail.
    virtual void prepare_to_serve(const server_settings& settings);
    /// What was checked, for the last line of `check`: "12 routes".
    [[nodiscard]] virtual std::string summary() const = 0;
    /// Lines of the startup message with their labels: "views    3 async, 2 sync, 0 cpu".
    [[nodiscard]] virtual std::string views_text(const server_settings& settings) const = 0;

    // The arbiter.

    /// Called before the first child is forked. Throws when the start must fail; must not start threads.
    virtual void on_arbiter_start(bool reloaded);
    /// The sockets for the application's own process groups, reusing those of the previous image after a reload.
    [[nodiscard]] virtual std::vector<process::managed_listener> listen_for_jobs(const server_settings& settings,
                                                                                 process::handover& inherited);
    /// The application's own process groups. `settings` outlives the arbiter.
    [[nodiscard]] virtual std::vector<process::group_options> compute_groups(const server_settings& settings);
    /// Called around the fork of each child of the arbiter; null for none.
    [[nodiscard]] virtual process::fork_hooks* fork_hooks();

    // A worker: the following are called on the thread of its loop unless stated otherwise.

    /// The application of this process; first called when a worker is created.
    [[nodiscard]] virtual handler::application& application() = 0;
    /// Runs the loop until the lifecycle has ended. Returns its result; rethrows its exception.
    [[nodiscard]] virtual int run(event_loop& loop, task<int> lifecycle);
    /// Logs every response to `sink`; null turns the log off.
    virtual void set_access_log(access_log_sink* sink);
    /// `is_leader` returns whether this process runs the periodic task of that name; may be empty.
    virtual void set_leader_check(std::function<bool(std::string_view name)> is_leader);
    /// Called after the server was created and before it accepts connections.
    virtual void on_server_start(server::server& s);
    /// Sockets of the worker besides those of the server, which programs and processes of the application must not
    /// keep.
    virtual void set_listening_sockets(std::span<const int> descriptors);
    /// Called before that server is destroyed.
    virtual void on_server_end();
    /// Called when the shutdown begins; requests still running at `end_of_grace` are cancelled.
    virtual void on_drain(instant end_of_grace);
    /// Sets until when stop_background() waits.
    virtual void set_background_deadline(instant deadline);
    /// Stops what runs alongside requests; called after the last request.
    [[nodiscard]] virtual task<void> stop_background();
    /// Work that may outlive its requests and that the shutdown waits for.
    [[nodiscard]] virtual std::size_t running() const noexcept;
    /// Adds statistics kept by the application. Called twice a second.
    virtual void sample(stats::worker_stats& s);
    /// Stacks to log in addition to the native ones before this process is killed. Called on the heartbeat thread,
    /// while the loop may be blocked.
    [[nodiscard]] virtual std::string stacks();
    /// The stack of the loop's thread in the application's own language, for the report of a stall; empty: the native
    /// one is shown. Called on another thread while the loop is blocked.
    [[nodiscard]] virtual std::string loop_stack();
    /// Called last in a process that ran a worker, when everything native has ended; not after a failed start. With a
    /// deadline that has been reached: views that still run are abandoned, and the loop still exists.
    virtual void end_process(instant deadline) noexcept;
};

}  // namespace rondo::cli
