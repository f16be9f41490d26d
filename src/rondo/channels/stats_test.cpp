// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <rondo/channels/cache.hpp>
#include <rondo/channels/channels.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/stats/stats_source_fixture.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

task<void> publish_and_check(channels& c) {
    {
        subscription slow = c.open({.max_messages = 2});
        co_await slow.subscribe("a");
        co_await slow.subscribe_pattern("b*");
        EXPECT_EQ(stats_value("channels", "memory:talk", "subscriptions"), 2u);
        for (int i = 0; i < 5; ++i) co_await c.publish("a", "x");
        co_await c.publish("unsubscribed", "x");
        slow.unsubscribe("a");
        EXPECT_EQ(stats_value("channels", "memory:talk", "subscriptions"), 1u);
    }
    EXPECT_EQ(stats_value("channels", "memory:talk", "subscriptions"), 0u);
}

TEST(ChannelsStats, count_messages) {
    {
        channels c("memory:talk");
        EXPECT_EQ(stats_value("channels", "memory:talk", "published"), 0u);
        event_loop loop;
        loop.run_until(publish_and_check(c));
        EXPECT_EQ(stats_value("channels", "memory:talk", "published"), 6u);
        EXPECT_EQ(stats_value("channels", "memory:talk", "delivered"), 5u);
        EXPECT_EQ(stats_value("channels", "memory:talk", "dropped"), 3u);
    }
    EXPECT_EQ(stats_value("channels", "memory:talk", "published"), 6u);
}

task<void> use_cache(cache& c) {
    (void)co_await c.get("a");
    for (int i = 0; i < 3; ++i) {
        const std::string value = co_await c.get_or_compute("a", 1h, [] { return std::string(1000, 'x'); });
        EXPECT_EQ(value.size(), 1000u);
    }
}

TEST(CacheStats, count_lookups) {
    cache c("memory:kept");
    EXPECT_EQ(c.stats().entries, 0u);
    event_loop loop;
    loop.run_until(use_cache(c));
    const auto stat = [](std::string_view name) { return stats_value("cache", "memory:kept", name); };
    EXPECT_EQ(stat("hits"), 2u);
    EXPECT_EQ(stat("misses"), c.stats().misses);
    EXPECT_GE(stat("misses"), 2u);
    EXPECT_EQ(stat("computed"), 1u);
    EXPECT_EQ(stat("entries"), 1u);
    EXPECT_GE(stat("bytes"), 1001u);
    EXPECT_EQ(stat("evicted"), 0u);
}

TEST(CacheStats, are_not_reported_before_the_first_use) {
    const cache c([]() -> std::string { throw std::runtime_error("the settings are not loaded yet"); });
    EXPECT_EQ(c.stats().hits, 0u);
    EXPECT_NO_THROW((void)stats_source::snapshot_all());
}

}  // namespace
}  // namespace rondo
