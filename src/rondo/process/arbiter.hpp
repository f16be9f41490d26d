// SPDX-License-Identifier: Apache-2.0
// The arbiter: a parent process that keeps groups of child processes running, reloads and stops them.
// Implemented in arbiter.cpp, arbiter_reload.cpp and arbiter_shutdown.cpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <rondo/process/current_child.hpp>
#include <rondo/process/executable.hpp>
#include <rondo/process/fork_hooks.hpp>
#include <rondo/process/handover.hpp>
#include <rondo/process/managed_listener.hpp>

namespace rondo::process {

/// A group of children that run the same function.
struct group_options {
    std::string name;  ///< unique, without spaces: "worker", "compute:resize"
    std::size_t count = 1;
    /// Called in each child; its result is the exit status. An exception is logged and exits with exit_not_started.
    std::function<int(child&)> run;
    std::size_t memory = 0;  ///< bytes per slot for the group's own use
    bool scalable = false;   ///< one child more on TTIN, one fewer on TTOU
    /// On shutdown and when old children are replaced, groups of a lower stage stop first: a group that others depend
    /// on has a higher stage than they have.
    unsigned stage = 0;
    bool may_send_commands = false;  ///< its children may send commands to the arbiter: child::send_command()
    /// Its children run untrusted code and see only their own slot of the shared memory. They must not use
    /// child::slots() and slots_of().
    bool isolated = false;
};

struct arbiter_options {
    std::chrono::milliseconds boot_timeout{60'000};      ///< for a child to become ready, and for the config check
    std::chrono::milliseconds timeout{30'000};           ///< a child without a heartbeat is killed; 0: never
    std::chrono::milliseconds graceful_timeout{30'000};  ///< for a child to exit; five seconds later it is killed
    std::string pid_file;                                ///< empty: none
    executable program;                                  ///< executed on HUP and USR2
    std::function<void()> on_ready;  ///< once, when all children of a first start serve; must not throw
    std::function<void()>
        on_generation_ready;               ///< when all children of an image serve, also after a reload; must not throw
    std::function<void()> on_reopen_logs;  ///< on USR1, before the children are signalled; must not throw
    process::fork_hooks* fork_hooks = nullptr;  ///< called around the fork of each child; null for none
};

/// Keeps groups of child processes running: forks them, replaces those that die, hang or request it, reloads the
/// program without downtime, and stops them in order. It serves no requests, creates no threads, and must be the only
/// thread of the process.
///
///     HUP         reload: runs the program (current file and settings) as a check, then re-executes it in place; the
///                 old children are terminated when all new ones are ready
///     TERM        graceful shutdown: refuses new connections, accepts and serves those already established
///     INT, QUIT   quick shutdown; also a second TERM
///     TTIN, TTOU  one child more or fewer in the scalable groups
///     USR1        reopens the log files, here and in the children
///     USR2        starts a second arbiter from the current program, with the same listeners
///     WINCH       after USR2: stops the children but not the arbiter; HUP starts them again
///
/// Children of a group that may send commands can request a reload, a shutdown and a scale. Failures are logged. As
/// process 1 the arbiter reaps orphans.
class arbiter {
public:
    /// Takes over the state of an earlier image. Throws std::system_error.
    arbiter(arbiter_options options, handover inherited);
    ~arbiter();
    arbiter(const arbiter&) = delete;
    arbiter& operator=(const arbiter&) = delete;

    /// Adds a group. Call before run(). Throws std::invalid_argument when the name is taken, and std::system_error.
    void add_group(group_options g);
    /// Adds a listener for the children of a group. Call before run().
    void add_listener(managed_listener s);

    /// Runs until a signal or command stops it. Returns 0 after an orderly shutdown; 1 when children had to be killed
    /// or failed during shutdown; exit_not_started when the children of a first start did not become ready.
    [[nodiscard]] int run();

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace rondo::process
