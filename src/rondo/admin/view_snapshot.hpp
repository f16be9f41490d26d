// SPDX-License-Identifier: Apache-2.0
// A snapshot of the stats of a view.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <rondo/stats/worker_stats.hpp>

namespace rondo::admin {

/// The stats of one view at one moment: of one worker, or the sum of several.
struct view_snapshot {
    std::string pattern;
    std::string methods;
    std::string kind;
    stats::outcomes<std::uint64_t> by_class{};
    std::uint64_t stalls = 0;
    std::uint64_t running = 0;  ///< requests that currently wait or are on a thread
    std::int64_t wall_ns = 0;
    std::int64_t loop_ns = 0;
    std::int64_t queue_ns = 0;
    std::int64_t thread_ns = 0;
    std::int64_t measured_ns = 0;
    std::int64_t cpu_ns = 0;
    stats::latency::histogram_totals latency{};

    [[nodiscard]] std::uint64_t requests() const noexcept;
    [[nodiscard]] bool is_same_view(const view_snapshot& other) const noexcept;
    /// Adds the stats of the same view of another worker.
    void add(const view_snapshot& other) noexcept;
};

[[nodiscard]] view_snapshot read_view(const stats::view_stats& counters);

}  // namespace rondo::admin
