// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <rondo/stats/worker_stats.hpp>

namespace rondo::admin {

/// Where the figures of a compute process are, and what is known of it beside them.
struct compute_source {
    std::string group;                                ///< "model": the name of the isolated views
    std::string name;                                 ///< "0"
    const stats::compute_figures* figures = nullptr;  ///< null: it has not begun to count
    bool alive = false;
    bool ready = false;   ///< it loaded what it needs
    bool ending = false;  ///< it takes no further job
    int process = 0;
    std::uint64_t resident_bytes = 0;
};

struct compute_process {
    std::string name;
    std::string state;  ///< "starting", "idle", "busy", "draining"
    int process = 0;
    std::int64_t age_ns = 0;
    std::int64_t busy_ns = 0;  ///< for how long its job has run; 0: it has none
    std::uint64_t jobs = 0;    ///< of its slot
    std::uint64_t resident_bytes = 0;
};

/// The compute processes of one name and what was asked of them, by all workers together.
struct compute_totals {
    std::string name;
    std::vector<compute_process> processes;  ///< those that live
    std::uint64_t starts = 0, crashes = 0;
    std::uint64_t waiting = 0, running = 0;  ///< jobs; those that run as the workers know it
    std::array<std::uint64_t, stats::job_ends> ended{};
    std::int64_t queue_ns = 0, wall_ns = 0, cpu_ns = 0;
    stats::latency::totals queue{}, wall{}, cpu{};

    [[nodiscard]] std::uint64_t busy() const noexcept;
    [[nodiscard]] std::uint64_t resident_bytes() const noexcept;
    [[nodiscard]] std::uint64_t count(stats::job_end how) const noexcept {
        return ended[static_cast<std::size_t>(how)];
    }
};

/// Adds what a worker asked for. `alive`: what waits and runs still does; otherwise nobody waits for it.
void add_demand(std::vector<compute_totals>& to, const stats::statistics& of, bool alive);
/// Adds the processes.
void add_processes(std::vector<compute_totals>& to, std::span<const compute_source> from, instant now);

}  // namespace rondo::admin
