// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/statement_latency.hpp>

#include <algorithm>

namespace rondo::db::postgres {

namespace {
constexpr std::int64_t very_quick_limit = 100'000;  // nanoseconds
constexpr std::int64_t quick_limit = 300'000;
constexpr std::size_t few_connections = 4;
constexpr std::size_t several_connections = 8;
}  // namespace

void statement_latency::record(std::uint64_t statement, std::chrono::nanoseconds duration) noexcept {
    entry& e = entries_[statement % entries_.size()];
    if (e.statement != statement) e = {statement, duration.count()};
    else e.minimum = std::min<std::int64_t>(duration.count(), e.minimum + e.minimum / 64 + 1);
}

std::size_t statement_latency::concurrency_for(std::uint64_t statement) const noexcept {
    const entry& e = entries_[statement % entries_.size()];
    if (e.statement != statement || e.minimum > quick_limit) return 0;
    return e.minimum > very_quick_limit ? several_connections : few_connections;
}

}  // namespace rondo::db::postgres
