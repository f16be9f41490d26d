// SPDX-License-Identifier: Apache-2.0
// Server time per statement, and how many connections its executions are spread over.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace rondo::db::postgres {

/// The server time of each statement: a recent minimum, which contention for CPUs does not inflate. Statements that map
/// to the same slot replace each other.
///
/// A server achieves more with a few busy connections than with many that take turns: each switch costs as much as a
/// row lookup by key. Fast statements therefore share few connections; only the others are spread.
class statement_latency {
public:
    void record(std::uint64_t statement, std::chrono::nanoseconds duration) noexcept;
    /// Number of connections to use for the statement at the same time; 0: any (slow or unknown).
    [[nodiscard]] std::size_t concurrency_for(std::uint64_t statement) const noexcept;

private:
    struct entry {
        std::uint64_t statement = 0;
        std::int64_t minimum = 0;
    };
    std::array<entry, 512> entries_;
};

}  // namespace rondo::db::postgres
