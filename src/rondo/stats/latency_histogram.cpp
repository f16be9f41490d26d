// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/latency_histogram.hpp>

#include <numeric>

namespace rondo::stats::latency {

double quantile(const totals& of, double part) noexcept {
    const auto all = std::accumulate(of.begin(), of.end(), std::uint64_t{0});
    if (all == 0) return 0;
    double wanted = part * static_cast<double>(all);
    for (std::size_t i = 0; i < of.size(); ++i) {
        const auto here = static_cast<double>(of[i]);
        if (of[i] == 0 || wanted > here) {
            wanted -= here;
            continue;
        }
        const auto low = i == 0 ? 0.0 : static_cast<double>(bound(i - 1));
        const auto high = i + 1 == of.size() ? low : static_cast<double>(bound(i));
        return low + (high - low) * wanted / here;
    }
    return static_cast<double>(bound(buckets - 2));
}

}  // namespace rondo::stats::latency
