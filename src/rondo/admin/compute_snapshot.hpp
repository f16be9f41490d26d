// SPDX-License-Identifier: Apache-2.0
// A snapshot of the stats of compute processes, by the name of their isolated views.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <rondo/stats/worker_stats.hpp>

namespace rondo::admin {

/// The stats of a compute process, and what its slot contains about it.
struct compute_source {
    std::string group;                               ///< "model": the name of the isolated views
    std::string name;                                ///< "0"
    const stats::compute_stats* counters = nullptr;  ///< null: not counting yet
    bool alive = false;
    bool ready = false;     ///< accepts jobs
    bool draining = false;  ///< accepts no further jobs
    int pid = 0;
    std::uint64_t resident_bytes = 0;
};

struct compute_process {
    std::string name;
    std::string state;  ///< "starting", "idle", "busy", "draining"
    int pid = 0;
    std::int64_t age_ns = 0;
    std::int64_t busy_ns = 0;  ///< run time of the current job; 0: idle
    std::uint64_t jobs = 0;    ///< of its slot, over all processes in it
    std::uint64_t resident_bytes = 0;
};

/// The compute processes of one name, and the jobs that all workers submitted to them.
struct compute_pool_snapshot {
    std::string name;
    std::vector<compute_process> processes;  ///< the live ones
    std::uint64_t starts = 0, crashes = 0;
    std::uint64_t waiting = 0, running = 0;  ///< jobs, as counted by the workers
    std::array<std::uint64_t, stats::job_outcome_count> outcomes{};
    std::int64_t queue_ns = 0, wall_ns = 0, cpu_ns = 0;
    stats::latency::histogram_totals queue{}, wall{}, cpu{};

    [[nodiscard]] std::uint64_t busy() const noexcept;
    [[nodiscard]] std::uint64_t resident_bytes() const noexcept;
    [[nodiscard]] std::uint64_t count(stats::job_outcome outcome) const noexcept {
        return outcomes[static_cast<std::size_t>(outcome)];
    }
};

/// Adds the jobs of a worker. When it is not `alive`, its waiting and running jobs count as cancelled.
void add_queue(std::vector<compute_pool_snapshot>& to, const stats::worker_stats& worker, bool alive);
/// Adds the processes.
void add_processes(std::vector<compute_pool_snapshot>& to, std::span<const compute_source> sources, instant now);

}  // namespace rondo::admin
