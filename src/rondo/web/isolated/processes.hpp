// SPDX-License-Identifier: Apache-2.0
// Compute processes of isolated views: their job sockets, how views are attached to them, and their main function.
// Implemented in processes.cpp and compute_process.cpp.
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

/// Used by the program that starts compute processes. See isolated() for the views.
namespace rondo::compute {

/// The name of a process group is this prefix and the name of the views.
inline constexpr std::string_view group_prefix = "compute:";

/// Returns the names of all isolated views, sorted, without duplicates.
[[nodiscard]] std::vector<std::string> isolated_names(app& application);

/// A listening socket for the jobs of one name, and its abstract address (without a file; freed when the last process
/// closes the socket).
struct job_socket {
    unique_fd fd;
    std::string address;
};
/// Creates a job socket with a random address. Throws std::system_error.
[[nodiscard]] job_socket listen_for_jobs();

struct attach_options {
    std::string address;  ///< of the job_socket
    /// The job_socket itself, needed only during the call: jobs are then not sent to another process that takes over
    /// the address. -1: jobs are sent to any process that listens there.
    int socket = -1;
    std::size_t max_jobs = 257;                 ///< most jobs of this process that run or wait; further ones get 503
    std::chrono::milliseconds timeout{60'000};  ///< of a job that has started; 0: none
};

/// Runs the isolated views of this name in the processes behind the address, instead of in this process. Only before
/// the application starts.
void attach(app& application, std::string_view name, const attach_options& options);

struct worker_options {
    std::string name;
    int socket = -1;  ///< of the job_socket
    std::chrono::milliseconds timeout{60'000};
    std::function<void()> on_ready;     ///< called when everything is loaded
    std::function<void()> on_stopping;  ///< called on any thread when no further job will start
    /// Called on any thread, never concurrently, twice a second and whenever a job starts or ends. The argument is the
    /// time until which the process counts as alive: now or, while a job runs, its deadline.
    std::function<void(instant)> on_heartbeat;
    stats::compute_stats* job_stats = nullptr;  ///< where jobs are counted; null: nowhere
};

/// Runs a compute process: loads the views of the name, then processes one job at a time until a signal (TERM: after
/// the current job; INT, QUIT: at once). The calling thread must be the only one. Accepts jobs only from processes of
/// the same user. Throws std::runtime_error with a user-facing message if a factory fails.
void run_worker(app& application, const worker_options& options);

}  // namespace rondo::compute
