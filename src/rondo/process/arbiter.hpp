// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include <rondo/process/child.hpp>
#include <rondo/process/executable.hpp>
#include <rondo/process/handover.hpp>
#include <rondo/process/managed_listener.hpp>

namespace rondo::process {

/// Children that do the same.
struct group {
    std::string name;  ///< "worker", "compute:resize": words, no spaces
    std::size_t count = 1;
    /// Called in each child; the process ends with what it returns. What it throws is logged, and is exit_not_started.
    std::function<int(child&)> run;
    std::size_t memory = 0;  ///< bytes of every slot for the group's own use
    bool scales = false;     ///< one more at TTIN, one fewer at TTOU
    /// At the end, and when old children give way to new ones, the groups of a lower stage go first: who serves others
    /// has a higher one than they.
    unsigned stage = 0;
    bool commands = false;  ///< its children may give the arbiter orders: child::tell()
    /// Its children run code that is not trusted: of the shared memory they have their own slot only. child::slots()
    /// and slots_of() are not for them.
    bool isolated = false;
};

struct arbiter_options {
    std::chrono::milliseconds boot_timeout{60'000};      ///< for a child to get ready; also for the check of a reload
    std::chrono::milliseconds timeout{30'000};           ///< a child without a sign of life is killed; 0: never
    std::chrono::milliseconds graceful_timeout{30'000};  ///< for a child to end; five seconds later it is killed
    std::string pid_file;                                ///< empty: none
    executable program;                                  ///< what HUP and USR2 execute
    std::function<void()> on_ready;     ///< when all children serve for the first time in this image; throws nothing
    std::function<void()> on_complete;  ///< as on_ready, but also after a reload; throws nothing
    std::function<void()> on_reopen;    ///< at USR1, before the children are told; throws nothing
};

/// Keeps groups of child processes running: starts them by fork, replaces those that die, hang or ask for it, reloads
/// the program without a gap, and ends them in order. It serves nothing itself, makes no thread, and must be the only
/// thread of the process.
///
///     HUP         runs the program again (its file, its settings) to see that it would start, then in place of this
///                 one; new children start, and when all are ready the old ones are told to end
///     TERM        ends: no connection can begin, those that have begun are accepted and served
///     INT, QUIT   ends quickly; as does a second TERM
///     TTIN, TTOU  one child more or fewer, of the groups that scale
///     USR1        log files are opened anew, here and in the children
///     USR2        starts the program a second time beside this one, with the same sockets
///     WINCH       ends the children and stays, when USR2 started another; HUP then starts them again
///
/// Children of a group that commands can tell it to reload, to end and to scale. Which of it went wrong is in the log.
/// As process 1 it reaps whatever is given to it.
class arbiter {
public:
    /// Takes over what an earlier image left. Throws std::system_error.
    arbiter(arbiter_options options, inheritance inherited);
    ~arbiter();
    arbiter(const arbiter&) = delete;
    arbiter& operator=(const arbiter&) = delete;

    /// Before run(). Throws std::invalid_argument when there is one of that name, std::system_error.
    void add(group g);
    /// A socket for the children of a group. Before run().
    void keep(kept_socket s);
    /// The inherited socket for this key; nothing when there is none. Those that nobody asks for are closed, after what
    /// waits there was served.
    [[nodiscard]] std::optional<kept_socket> inherited(std::string_view group, std::string_view key);

    /// Until a signal ends it. 0 after an orderly end; 1 when children had to be killed or said 1; exit_not_started
    /// when the children of a first start did not get ready.
    [[nodiscard]] int run();

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace rondo::process
