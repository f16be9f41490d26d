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
    std::string name;                            ///< "0"
    const stats::statistics* figures = nullptr;  ///< null: not counting yet
    bool alive = false;                          ///< the process exists
    int process = 0;
    std::uint64_t resident_bytes = 0;
    std::int64_t turn_began_ns = 0;  ///< start of the current turn of its loop, on rondo::clock; 0: it waits
};

struct pool_totals {
    std::uint64_t threads = 0, most = 0, running = 0, waiting = 0, jobs = 0, refused = 0;
    std::int64_t queue_ns = 0;
    stats::latency::totals queue{};

    void add(const pool_totals& other) noexcept;
};

/// The stats of one worker at one moment, or the sum over all workers. Gauges of an exited process are 0.
struct worker_totals {
    std::string name;
    std::string state;  ///< "starting", "serving", "blocked" (its loop), "draining", "ended"
    int process = 0;
    std::uint64_t starts = 0, crashes = 0, lost = 0;
    std::int64_t age_ns = 0;
    std::uint64_t requests = 0, responses = 0, refused = 0, aborted = 0, left = 0, accepted = 0;
    std::uint64_t connections = 0, in_flight = 0, waiting = 0;
    std::array<std::uint64_t, stats::connection_states> connections_in{};
    std::int64_t busy_ns = 0;
    std::int64_t loop_delay_ns = 0;  ///< of the last sample, or how long the loop has been blocked if longer
    std::int64_t longest_turn_ns = 0;
    std::uint64_t stalls = 0;
    std::uint64_t log_lines_lost = 0;  ///< of the access log
    std::uint64_t error_log_lines_lost = 0;
    std::uint64_t resident_bytes = 0;
    stats::latency::totals loop_delay{};
    pool_totals blocking, compute;

    /// Sums counters and gauges; keeps the maximum of delays, turns and ages.
    void add(const worker_totals& other) noexcept;
};

/// A request that currently waits or is on a thread.
struct running_entry {
    std::string worker;
    std::string pattern, methods, kind;
    stats::place where = stats::place::none;
    std::int64_t age_ns = 0;                                ///< since its head was received
    std::int64_t here_ns = 0;                               ///< since it entered its state
    std::int64_t loop_ns = 0, queue_ns = 0, thread_ns = 0;  ///< so far
};

/// A stat of a client library that views use, such as a cache, summed over all workers.
struct resource_total {
    std::string group;  ///< "cache"
    std::string of;     ///< which instance; empty when they are not distinguished
    std::string name;   ///< "hits"
    std::string help;
    bool counts = false;
    bool seconds = false;  ///< `value` is in nanoseconds
    std::uint64_t value = 0;
};

inline constexpr std::size_t places = 10;

/// All stats at one moment.
struct overview {
    std::vector<worker_totals> workers;              ///< the live ones
    worker_totals all;                               ///< including exited workers
    std::vector<view_totals> views;                  ///< sums over all workers, by pattern; "": requests without a view
    std::vector<compute_totals> computers;           ///< by name
    stats::latency::totals latency{};                ///< of all views
    std::array<std::uint64_t, places> waiting_in{};  ///< requests that are listed individually, by state
    std::vector<running_entry> running;              ///< oldest first
    std::vector<resource_total> resources;           ///< by group, instance and name
};

/// Takes a snapshot; lists at most `max_running` of the running requests. Takes no locks, so stats that change at the
/// same time may be inconsistent with each other.
[[nodiscard]] overview read_all(std::span<const worker_source> sources, instant now, std::size_t max_running = 200,
                                std::span<const compute_source> compute_sources = {});

}  // namespace rondo::admin
