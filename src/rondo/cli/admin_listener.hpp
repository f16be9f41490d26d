// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include <rondo/cli/settings/settings.hpp>
#include <rondo/net/address.hpp>
#include <rondo/process/child.hpp>
#include <rondo/stats/worker_stats.hpp>

namespace rondo::cli {

/// The admin listener answers for all workers, whatever they do: under an arbiter from a process of its own, without
/// one from a thread with a loop of its own.

/// Listens at chosen.admin; nothing when that is off. A unix socket is for the user alone. Throws with a sentence: the
/// address can be reached by others, or is in use.
[[nodiscard]] std::vector<net::listening_socket> listen_for_admin(const settings& chosen);

/// The life of the process: until TERM, INT or QUIT. `workers` is the group it looks at.
[[nodiscard]] int serve_admin(process::child& self, const std::string& workers);

class admin_thread {
public:
    /// `figures` must outlive this. Throws std::system_error.
    admin_thread(std::vector<net::listening_socket> sockets, const stats::statistics& figures);
    ~admin_thread();
    admin_thread(const admin_thread&) = delete;
    admin_thread& operator=(const admin_thread&) = delete;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace rondo::cli
