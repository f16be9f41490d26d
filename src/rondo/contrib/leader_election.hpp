// SPDX-License-Identifier: Apache-2.0
// Leader election among the processes of one server.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <rondo/base/unique_fd.hpp>

namespace rondo {

/// Elects the process of a server that performs a task which only one process may perform. The first process to request
/// leadership for a name has it until it ends: it binds an abstract unix socket with that name under the server's
/// discovery name, and the kernel frees the socket when the process ends for whatever reason. In a server with a single
/// process, that process is the leader. Not thread-safe.
///
/// Any process on the machine may bind such a name. If the holder belongs to another user, the name stays taken, and an
/// error is logged once per name.
class leader_election {
public:
    /// Requests leadership for `name` and returns whether this process has it. Never blocks. Returns false, and logs,
    /// when the kernel refuses the socket.
    [[nodiscard]] bool try_acquire(std::string_view name) noexcept;

private:
    struct other_leader {
        unique_fd connection;  // while it is open, the holder is the process that was checked
        unsigned failed_checks = 0;
        bool reported = false;
    };
    static void check_holder(other_leader& other, std::string_view name, const std::string& socket);

    std::map<std::string, unique_fd, std::less<>> acquired_;
    std::map<std::string, other_leader, std::less<>> other_leaders_;
};

}  // namespace rondo
