// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/latency_histogram.hpp>

#include <gtest/gtest.h>

namespace rondo::stats::latency {
namespace {

TEST(LatencyHistogram, every_duration_is_between_the_bounds_of_its_bucket) {
    for (std::int64_t ns :
         {std::int64_t{0}, std::int64_t{1}, std::int64_t{1023}, std::int64_t{1024}, std::int64_t{1279},
          std::int64_t{1280}, std::int64_t{50'000}, std::int64_t{1'000'000}, std::int64_t{999'999'999},
          (std::int64_t{1} << 36) - 1, std::int64_t{1} << 36, std::int64_t{3'600'000'000'000}}) {
        const std::size_t b = bucket_of(ns);
        ASSERT_LT(b, buckets);
        if (b > 0) EXPECT_GE(ns, bound(b - 1)) << ns;
        if (b + 1 < buckets) EXPECT_LT(ns, bound(b)) << ns;
    }
    EXPECT_EQ(bucket_of(-5), 0u);
}

TEST(LatencyHistogram, bounds_rise_by_a_quarter_at_most_and_every_fourth_is_a_power_of_two) {
    EXPECT_EQ(bound(0), 1024);
    EXPECT_EQ(bound(buckets - 2), std::int64_t{1} << 36);
    for (std::size_t i = 1; i + 1 < buckets; ++i) {
        EXPECT_GT(bound(i), bound(i - 1));
        EXPECT_LE(bound(i) * 4, bound(i - 1) * 5);
        EXPECT_EQ(std::has_single_bit(static_cast<std::uint64_t>(bound(i))), i % 4 == 0);
        EXPECT_EQ(bucket_of(bound(i - 1)), i);
    }
}

TEST(LatencyHistogram, the_error_of_quantiles_is_at_most_an_eighth) {
    totals t{};
    EXPECT_EQ(quantile(t, 0.5), 0);
    for (std::int64_t us = 1; us <= 10'000; ++us) ++t[bucket_of(us * 1000)];
    for (double q : {0.1, 0.5, 0.9, 0.99}) EXPECT_NEAR(quantile(t, q), q * 1e7, q * 1e7 / 8);
    EXPECT_GT(quantile(t, 1), 9.9e6);
}

TEST(LatencyHistogram, durations_beyond_the_last_bound_count_as_that_bound) {
    totals t{};
    t[buckets - 1] = 3;
    EXPECT_EQ(quantile(t, 0.5), static_cast<double>(std::int64_t{1} << 36));
}

}  // namespace
}  // namespace rondo::stats::latency
