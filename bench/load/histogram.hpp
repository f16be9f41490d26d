// SPDX-License-Identifier: Apache-2.0
// A histogram of latencies with a relative error of at most one percent.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/// Counts durations in nanoseconds, each to within one percent. The largest is exact.
class histogram {
public:
    void add(std::uint64_t ns, std::uint64_t count = 1) {
        const unsigned width = static_cast<unsigned>(std::bit_width(ns));
        const unsigned shift = width > 8 ? width - 8 : 0;
        counts_[shift * 128 + (ns >> shift)] += count;
        total_ += count;
        largest_ = std::max(largest_, ns);
    }

    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
    [[nodiscard]] std::uint64_t largest() const noexcept { return largest_; }

    /// The duration that a share `q` (0 to 1) of all durations does not exceed.
    [[nodiscard]] std::uint64_t quantile(double q) const noexcept {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            sum += counts_[i];
            if (sum && static_cast<double>(sum) >= q * static_cast<double>(total_))
                return std::min(largest_, lowest(i + 1) - 1);
        }
        return largest_;
    }

private:
    // The first 256 buckets hold one value each; then there are 128 for each power of two.
    static std::uint64_t lowest(std::size_t index) noexcept {
        if (index < 256) return index;
        const std::size_t shift = index / 128 - 1;
        return static_cast<std::uint64_t>(index - shift * 128) << shift;
    }

    std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(256 + 56 * 128);
    std::uint64_t total_ = 0;
    std::uint64_t largest_ = 0;
};

}  // namespace bench
