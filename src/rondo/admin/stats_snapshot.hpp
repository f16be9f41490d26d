// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <rondo/admin/compute_snapshot.hpp>
#include <rondo/admin/view_snapshot.hpp>
#include <rondo/stats/worker_stats.hpp>

namespace rondo::admin {

/// Where the figures of a worker are, and what is known of its process beside them.
struct worker_source {
    std::string name;                            ///< "0"
    const stats::statistics* figures = nullptr;  ///< null: it has not begun to count
    bool alive = false;                          ///< the process is there
    int process = 0;
    std::uint64_t resident_bytes = 0;
    std::int64_t turn_began_ns = 0;  ///< since when its loop does one thing, on rondo::clock; 0: it waits
};

struct pool_totals {
    std::uint64_t threads = 0, most = 0, running = 0, waiting = 0, jobs = 0, refused = 0;
    std::int64_t queue_ns = 0;
    stats::latency::totals queue{};

    void add(const pool_totals& other) noexcept;
};

/// A worker's figures, read once; or those of all together. Of a process that is gone only what it counted is left.
struct worker_totals {
    std::string name;
    std::string state;  ///< "starting", "serving", "blocked" (its loop is stuck), "draining", "ended"
    int process = 0;
    std::uint64_t starts = 0, crashes = 0, lost = 0;
    std::int64_t age_ns = 0;
    std::uint64_t requests = 0, responses = 0, refused = 0, aborted = 0, left = 0, accepted = 0;
    std::uint64_t connections = 0, in_flight = 0, waiting = 0;
    std::array<std::uint64_t, stats::connection_states> connections_in{};
    std::int64_t busy_ns = 0;
    std::int64_t loop_delay_ns = 0;  ///< at the last look; or for how long the loop has been stuck, when that is more
    std::int64_t longest_turn_ns = 0;
    std::uint64_t stalls = 0;
    std::uint64_t log_lines_lost = 0;  ///< of the access log
    std::uint64_t error_log_lines_lost = 0;
    std::uint64_t resident_bytes = 0;
    stats::latency::totals loop_delay{};
    pool_totals blocking, compute;

    /// Counts and gauges; of delays and turns the longest; the age of the oldest.
    void add(const worker_totals& other) noexcept;
};

/// A request that waits or is on a thread.
struct running_entry {
    std::string worker;
    std::string pattern, methods, kind;
    stats::place where = stats::place::none;
    std::int64_t age_ns = 0;                                ///< since its head was complete
    std::int64_t here_ns = 0;                               ///< since it came where it is
    std::int64_t loop_ns = 0, queue_ns = 0, thread_ns = 0;  ///< so far
};

/// A figure of something that views use, of all workers together.
struct resource_total {
    std::string group;  ///< "cache"
    std::string of;     ///< which one; empty when they are not told apart
    std::string name;   ///< "hits"
    std::string help;
    bool counts = false;
    bool seconds = false;  ///< kept in nanoseconds
    std::uint64_t value = 0;
};

inline constexpr std::size_t places = 10;

/// Everything, at one moment.
struct overview {
    std::vector<worker_totals> workers;  ///< those that live
    worker_totals all;                   ///< also of those that ended
    std::vector<view_totals> views;      ///< of all workers together; by pattern. "" stands for requests without a view
    std::vector<compute_totals> computers;           ///< by name
    stats::latency::totals latency{};                ///< of all views
    std::array<std::uint64_t, places> waiting_in{};  ///< requests by handler::place, as far as they are told one by one
    std::vector<running_entry> running;              ///< the oldest first
    std::vector<resource_total> resources;           ///< by group, what it is of, and name
};

/// Reads the figures; `most` of the running requests are listed. Locks nothing: what is counted meanwhile may be in one
/// figure and not yet in another.
[[nodiscard]] overview read_all(std::span<const worker_source> from, instant now, std::size_t most = 200,
                                std::span<const compute_source> computers = {});

}  // namespace rondo::admin
