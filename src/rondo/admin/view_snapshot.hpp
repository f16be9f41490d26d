// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <rondo/stats/worker_stats.hpp>

namespace rondo::admin {

/// What was counted of one view, read once: by one worker, or by several together.
struct view_totals {
    std::string pattern;
    std::string methods;
    std::string kind;
    stats::outcomes<std::uint64_t> by_class{};
    std::uint64_t stalls = 0;
    std::uint64_t running = 0;  ///< requests that wait or are on a thread now
    std::int64_t wall_ns = 0;
    std::int64_t loop_ns = 0;
    std::int64_t queue_ns = 0;
    std::int64_t thread_ns = 0;
    std::int64_t measured_ns = 0;
    std::int64_t cpu_ns = 0;
    stats::latency::totals latency{};

    [[nodiscard]] std::uint64_t requests() const noexcept;
    [[nodiscard]] bool same_view(const view_totals& other) const noexcept;
    /// Adds the figures; the name stays.
    void add(const view_totals& other) noexcept;
};

[[nodiscard]] view_totals read(const stats::view_figures& from);

/// What to change about a view, as a sentence without the view's name; empty when nothing is wrong or too little is
/// known. It judges the mean of all requests since the start: twenty at least.
[[nodiscard]] std::string advice(const view_totals& view);

}  // namespace rondo::admin
