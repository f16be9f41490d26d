// SPDX-License-Identifier: Apache-2.0
// Copies the stats of databases, caches and other client libraries into the stats of a worker.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rondo/stats/stats_source.hpp>
#include <rondo/stats/worker_stats.hpp>

namespace rondo::stats {

/// Copies the stats of all stats_sources into the worker_stats. Used on the loop thread. Constructed at the start of
/// the worker, as earlier counts belong to the parent process.
class client_library_sampler {
public:
    client_library_sampler() : previous_(stats_source::snapshot_all()) {}

    /// Adds what the counters gained since the last call, and sets the gauges.
    void sample(worker_stats& to) noexcept;

private:
    void add_growth(worker_stats& to);
    [[nodiscard]] std::uint64_t previous_value(const stats_source::snapshot& now, std::size_t i) const noexcept;

    std::vector<stats_source::snapshot> previous_;
};

}  // namespace rondo::stats
