// SPDX-License-Identifier: Apache-2.0
// Interface of the admin application to the server: sources of stats and control commands.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <rondo/admin/stats_snapshot.hpp>

namespace rondo::admin {

/// What the admin application shows and controls. Called on the loop of the admin listener.
class admin_backend {
public:
    virtual ~admin_backend() = default;

    /// The current workers, including those that exited and left their stats.
    [[nodiscard]] virtual std::vector<worker_source> workers() = 0;

    /// The compute processes, likewise; empty without an arbiter.
    [[nodiscard]] virtual std::vector<compute_source> compute_processes() = 0;

    /// These return immediately: "" when the command was accepted, else a user-facing reason.
    [[nodiscard]] virtual std::string reload() = 0;
    [[nodiscard]] virtual std::string drain() = 0;
    [[nodiscard]] virtual std::string scale(std::size_t workers) = 0;
};

/// Bytes of resident memory of a process; 0 when it has exited.
[[nodiscard]] std::uint64_t resident_bytes(int pid) noexcept;

}  // namespace rondo::admin
