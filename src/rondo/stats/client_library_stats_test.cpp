// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/client_library_stats.hpp>

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace rondo::stats {
namespace {

constexpr metric_descriptor descriptors[] = {{"made", "What was made."}, {"open", "What is open.", false}};

struct workshop {
    std::uint64_t made = 0;
    std::uint64_t open = 0;
    stats_source source{"workshop", descriptors, [] { return std::string("here"); },
                        [this](std::span<std::uint64_t> to) {
                            to[0] = made;
                            to[1] = open;
                            return true;
                        }};
};

std::uint64_t value(worker_stats& s, std::size_t i) {
    return s.client_library_stat_row("workshop", "here", descriptors[i])->value.load();
}

TEST(ClientLibraryStats, count_from_the_start_of_the_worker) {
    workshop w;
    w.made = 10;  // in the parent process
    w.open = 1;
    client_library_sampler reader;
    const worker_stats_memory s;
    w.made = 12;
    w.open = 3;
    reader.sample(*s);
    EXPECT_EQ(value(*s, 0), 2u);
    EXPECT_EQ(value(*s, 1), 3u);
    w.made = 13;
    w.open = 2;
    reader.sample(*s);
    reader.sample(*s);
    EXPECT_EQ(value(*s, 0), 3u);
    EXPECT_EQ(value(*s, 1), 2u);
}

TEST(ClientLibraryStats, continue_in_the_next_worker) {
    const worker_stats_memory s;
    {
        client_library_sampler reader;
        workshop w;
        w.made = 5;
        w.open = 4;
        reader.sample(*s);
    }
    s->on_worker_start(1);
    EXPECT_EQ(value(*s, 0), 5u);
    EXPECT_EQ(value(*s, 1), 0u);
    client_library_sampler reader;
    workshop next;
    next.made = 2;
    reader.sample(*s);
    EXPECT_EQ(value(*s, 0), 7u);
}

TEST(ClientLibraryStats, beyond_the_table_are_dropped) {
    const worker_stats_memory s;
    for (std::size_t i = 0; i < worker_stats::max_client_library_stats; ++i)
        ASSERT_NE(s->client_library_stat_row("g", std::to_string(i), descriptors[0]), nullptr);
    EXPECT_EQ(s->client_library_stat_row("g", "too many", descriptors[0]), nullptr);
    EXPECT_EQ(s->client_library_stat_row("g", "7", descriptors[0]), &s->client_library_stats[7]);
}

TEST(ClientLibraryStats, with_truncated_names_share_a_row) {
    const worker_stats_memory s;
    const std::string long_name(300, 'x');
    EXPECT_EQ(s->client_library_stat_row("g", long_name, descriptors[0]),
              s->client_library_stat_row("g", long_name, descriptors[0]));
}

}  // namespace
}  // namespace rondo::stats
