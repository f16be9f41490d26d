// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/base/clock.hpp>
#include <rondo/base/unique_fd.hpp>
#include <rondo/stats/compute_stats.hpp>
#include <rondo/web/app.hpp>

/// The processes of isolated views, for the program that starts them. See isolated() for the views themselves.
namespace rondo::compute {

/// The prefix of the names of their process groups; the rest is the name of the views.
inline constexpr std::string_view group_prefix = "compute:";

/// The names of all isolated views, each once, sorted.
[[nodiscard]] std::vector<std::string> names_in(app& application);

/// A new socket for the jobs of a name, and its address in the kernel (an abstract one: no file, gone with the last who
/// has the socket). Throws std::system_error.
struct job_socket {
    unique_fd fd;
    std::string address;
};
[[nodiscard]] job_socket listen();

struct link_options {
    std::string address;  ///< of the job_socket
    /// The job_socket itself, at the time of the call: jobs go to nobody who took the address after its owner's end.
    /// -1: whoever listens there gets them.
    int socket = -1;
    std::size_t places = 257;                   ///< jobs of a process that serves HTTP which run or wait; more get 503
    std::chrono::milliseconds timeout{60'000};  ///< of a job that has begun; 0: none
};

/// The isolated views of this name run behind this address from now on, instead of in this process. Before the
/// application runs.
void link(app& application, std::string_view name, const link_options& with);

struct work_options {
    std::string name;
    int socket = -1;  ///< of the job_socket
    std::chrono::milliseconds timeout{60'000};
    std::function<void()> ready;   ///< called when everything is loaded
    std::function<void()> ending;  ///< called when no further job is begun, on some thread
    /// Called twice a second from the beginning on, and whenever a job begins or ends, on some thread, never twice at
    /// once: the process lives; while a job runs it does so until the job's deadline.
    std::function<void(instant)> lives_until;
    stats::compute_figures* figures = nullptr;  ///< where the jobs are counted; null: nowhere
};

/// The life of a compute process: makes what the views of the name need, then does one job after the other until a
/// signal ends it (TERM after the job that runs, INT and QUIT at once). The calling thread must be the only one. Takes
/// jobs only of processes of the same user. Throws std::runtime_error with a sentence when a factory fails.
void work(app& application, const work_options& options);

}  // namespace rondo::compute
