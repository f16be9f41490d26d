// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/latency_histogram.hpp>

#include <numeric>

namespace rondo::stats::latency {

double quantile(const histogram_totals& sum, double q) noexcept {
    const auto total = std::accumulate(sum.begin(), sum.end(), std::uint64_t{0});
    if (total == 0) return 0;
    double rank = q * static_cast<double>(total);
    for (std::size_t i = 0; i < sum.size(); ++i) {
        const auto in_bucket = static_cast<double>(sum[i]);
        if (sum[i] == 0 || rank > in_bucket) {
            rank -= in_bucket;
            continue;
        }
        const auto low = i == 0 ? 0.0 : static_cast<double>(upper_bound(i - 1));
        const auto high = i + 1 == sum.size() ? low : static_cast<double>(upper_bound(i));
        return low + (high - low) * rank / in_bucket;
    }
    return static_cast<double>(upper_bound(bucket_count - 2));
}

}  // namespace rondo::stats::latency
