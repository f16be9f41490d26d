// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rondo/stats/stats_source.hpp>
#include <rondo/stats/worker_stats.hpp>

namespace rondo::stats {

/// Brings what views use (`observed`) into the statistics of a worker. On the loop's thread. Made where the worker
/// begins: what was counted before belongs to who made this process.
class resource_reader {
public:
    resource_reader() : before_(observed::look()) {}

    /// Adds what was counted since the last call, and sets what is so now.
    void look(statistics& to) noexcept;

private:
    void add_since_last(statistics& to);
    [[nodiscard]] std::uint64_t before(const observed::figures& of, std::size_t i) const noexcept;

    std::vector<observed::figures> before_;
};

}  // namespace rondo::stats
