// SPDX-License-Identifier: Apache-2.0
// Serves the admin listener, from a process under an arbiter and from a thread without one.
#pragma once

#include <memory>
#include <vector>

#include <rondo/cli/settings/settings.hpp>
#include <rondo/net/listen.hpp>
#include <rondo/process/current_child.hpp>
#include <rondo/stats/worker_stats.hpp>

namespace rondo::cli {

/// Listens on settings.admin; returns nothing when that is off. Unix sockets have mode 0600. Throws with a user-facing
/// message when other machines can reach the address or it is in use.
[[nodiscard]] std::vector<net::listening_socket> listen_admin(const server_settings& settings);

/// Serves the admin listener of an arbiter until SIGTERM, SIGINT or SIGQUIT. `workers` is the group to report on.
/// Returns the exit status.
[[nodiscard]] int serve_admin(process::child& self, const std::string& workers);

/// The admin listener of a server without an arbiter: a thread with an event loop, so that it responds while the server
/// is blocked.
class admin_thread {
public:
    /// `counters` must outlive this. Throws std::system_error.
    admin_thread(std::vector<net::listening_socket> sockets, const stats::worker_stats& counters);
    ~admin_thread();
    admin_thread(const admin_thread&) = delete;
    admin_thread& operator=(const admin_thread&) = delete;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace rondo::cli
