// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/statement_latency.hpp>

#include <algorithm>

namespace rondo::db::postgres {

namespace {
constexpr std::int64_t very_quick = 100'000;  // nanoseconds
constexpr std::int64_t quick = 300'000;
constexpr std::size_t few = 4;
constexpr std::size_t some = 8;
}  // namespace

void speeds::add(std::uint64_t statement, std::chrono::nanoseconds took) noexcept {
    entry& e = entries_[statement % entries_.size()];
    if (e.statement != statement) e = {statement, took.count()};
    else e.least = std::min<std::int64_t>(took.count(), e.least + e.least / 64 + 1);
}

std::size_t speeds::lanes(std::uint64_t statement) const noexcept {
    const entry& e = entries_[statement % entries_.size()];
    if (e.statement != statement || e.least > quick) return 0;
    return e.least > very_quick ? some : few;
}

}  // namespace rondo::db::postgres
