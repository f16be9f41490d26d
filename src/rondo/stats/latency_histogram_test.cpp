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
        const std::size_t b = bucket_index(ns);
        ASSERT_LT(b, bucket_count);
        if (b > 0) EXPECT_GE(ns, upper_bound(b - 1)) << ns;
        if (b + 1 < bucket_count) EXPECT_LT(ns, upper_bound(b)) << ns;
    }
    EXPECT_EQ(bucket_index(-5), 0u);
}

TEST(LatencyHistogram, bounds_rise_by_a_quarter_at_most_and_every_fourth_is_a_power_of_two) {
    EXPECT_EQ(upper_bound(0), 1024);
    EXPECT_EQ(upper_bound(bucket_count - 2), std::int64_t{1} << 36);
    for (std::size_t i = 1; i + 1 < bucket_count; ++i) {
        EXPECT_GT(upper_bound(i), upper_bound(i - 1));
        EXPECT_LE(upper_bound(i) * 4, upper_bound(i - 1) * 5);
        EXPECT_EQ(std::has_single_bit(static_cast<std::uint64_t>(upper_bound(i))), i % 4 == 0);
        EXPECT_EQ(bucket_index(upper_bound(i - 1)), i);
    }
}

TEST(LatencyHistogram, the_error_of_quantiles_is_at_most_an_eighth) {
    histogram_totals t{};
    EXPECT_EQ(quantile(t, 0.5), 0);
    for (std::int64_t us = 1; us <= 10'000; ++us) ++t[bucket_index(us * 1000)];
    for (double q : {0.1, 0.5, 0.9, 0.99}) EXPECT_NEAR(quantile(t, q), q * 1e7, q * 1e7 / 8);
    EXPECT_GT(quantile(t, 1), 9.9e6);
}

TEST(LatencyHistogram, durations_beyond_the_last_bound_count_as_that_bound) {
    histogram_totals t{};
    t[bucket_count - 1] = 3;
    EXPECT_EQ(quantile(t, 0.5), static_cast<double>(std::int64_t{1} << 36));
}

}  // namespace
}  // namespace rondo::stats::latency
