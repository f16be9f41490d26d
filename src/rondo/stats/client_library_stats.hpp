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
class resource_reader {
public:
    resource_reader() : before_(observed::look()) {}

    /// Adds what the counters gained since the last call, and sets the gauges.
    void look(statistics& to) noexcept;

private:
    void add_since_last(statistics& to);
    [[nodiscard]] std::uint64_t before(const observed::figures& now, std::size_t i) const noexcept;

    std::vector<observed::figures> before_;
};

}  // namespace rondo::stats
