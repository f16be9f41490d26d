// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace rondo::db::postgres {

/// How long the server works on each statement, as far as it was seen: the least of late, which waiting for processors
/// that others use does not change. Of statements that share a place the last one counts.
///
/// A server with a few busy connections does more than with many that take turns: each switch costs it as much as a row
/// by its key. So statements that are quick share few connections, and only the others are spread.
class speeds {
public:
    void add(std::uint64_t statement, std::chrono::nanoseconds took) noexcept;
    /// On how many connections the statement is to be at once; 0: on any, because it is slow or not known.
    [[nodiscard]] std::size_t lanes(std::uint64_t statement) const noexcept;

private:
    struct entry {
        std::uint64_t statement = 0;
        std::int64_t least = 0;
    };
    std::array<entry, 512> entries_;
};

}  // namespace rondo::db::postgres
