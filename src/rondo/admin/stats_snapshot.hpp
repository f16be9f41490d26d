// SPDX-License-Identifier: Apache-2.0
// A snapshot of the stats of all workers, views, compute processes and client libraries.
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

/// The stats of a worker, and what its slot contains about its process.
struct worker_source {
    std::string name;                               ///< "0"
    const stats::worker_stats* counters = nullptr;  ///< null: not counting yet
    bool alive = false;                             ///< the process exists
    int pid = 0;
    std::uint64_t resident_bytes = 0;
    std::int64_t turn_started_ns = 0;  ///< start of the current turn of its loop, on rondo::clock; 0: it waits
};

struct pool_snapshot {
    std::uint64_t threads = 0, max_threads = 0, running = 0, waiting = 0, jobs = 0, refused = 0;
    std::int64_t queue_ns = 0;
    stats::latency::histogram_totals queue{};

    void add(const pool_snapshot& other) noexcept;
};

/// The stats of one worker at one moment, or the sum over all workers. Gauges of an exited process are 0.
struct worker_snapshot {
    std::string name;
    std::string state;  ///< "starting", "serving", "blocked" (its loop), "draining", "ended"
    int pid = 0;
    std::uint64_t starts = 0, crashes = 0, lost = 0;
    std::int64_t age_ns = 0;
    std::uint64_t requests = 0, responses = 0, refused = 0, aborted = 0, client_closed = 0, accepted = 0;
    std::uint64_t connections = 0, in_flight = 0, waiting = 0;
    std::array<std::uint64_t, stats::connection_state_count> connections_by_state{};
    std::int64_t busy_ns = 0;
    std::int64_t loop_delay_ns = 0;  ///< of the last sample, or how long the loop has been blocked if longer
    std::int64_t longest_turn_ns = 0;
    std::uint64_t stalls = 0;
    std::int64_t gil_wait_ns = 0;      ///< the loop has waited for the GIL of Python
    std::uint64_t log_lines_lost = 0;  ///< of the access log
    std::uint64_t error_log_lines_lost = 0;
    std::uint64_t resident_bytes = 0;
    stats::latency::histogram_totals loop_delay{};
    pool_snapshot blocking, compute;

    /// Sums counters and gauges; keeps the maximum of delays, turns and ages.
    void add(const worker_snapshot& other) noexcept;
};

/// A request that currently waits or is on a thread.
struct running_entry {
    std::string worker;
    std::string pattern, methods, kind;
    stats::request_state state = stats::request_state::none;
    std::int64_t age_ns = 0;                                ///< since its head was received
    std::int64_t in_state_ns = 0;                           ///< since it entered its state
    std::int64_t loop_ns = 0, queue_ns = 0, thread_ns = 0;  ///< so far
};

/// A stat of a client library that views use, such as a cache, summed over all workers.
struct client_library_snapshot {
    std::string group;     ///< "cache"
    std::string instance;  ///< which instance; empty when they are not distinguished
    std::string name;      ///< "hits"
    std::string help;
    bool is_counter = false;
    bool is_duration = false;  ///< `value` is in nanoseconds
    std::uint64_t value = 0;
};

inline constexpr std::size_t request_state_count = 10;

/// All stats at one moment.
struct stats_snapshot {
    std::vector<worker_snapshot> workers;  ///< the live ones
    worker_snapshot total;                 ///< including exited workers
    std::vector<view_snapshot> views;      ///< sums over all workers, by pattern; "": requests without a view
    std::vector<compute_pool_snapshot> compute_pools;  ///< by name
    stats::latency::histogram_totals latency{};        ///< of all views
    std::array<std::uint64_t, request_state_count>
        waiting_by_state{};                          ///< requests that are listed individually, by state
    std::vector<running_entry> running;              ///< oldest first
    std::vector<client_library_snapshot> resources;  ///< by group, instance and name
};

/// Takes a snapshot; lists at most `max_running` of the running requests. Takes no locks, so stats that change at the
/// same time may be inconsistent with each other.
[[nodiscard]] stats_snapshot take_snapshot(std::span<const worker_source> sources, instant now,
                                           std::size_t max_running = 200,
                                           std::span<const compute_source> compute_sources = {});

}  // namespace rondo::admin
