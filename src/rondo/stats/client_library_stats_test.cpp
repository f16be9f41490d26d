// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/client_library_stats.hpp>

#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace rondo::stats {
namespace {

constexpr figure_text texts[] = {{"made", "What was made."}, {"open", "What is open.", false}};

struct workshop {
    std::uint64_t made = 0;
    std::uint64_t open = 0;
    observed told{"workshop", texts, [] { return std::string("here"); },
                  [this](std::span<std::uint64_t> to) {
                      to[0] = made;
                      to[1] = open;
                      return true;
                  }};
};

std::uint64_t value(statistics& s, std::size_t i) { return s.resource_of("workshop", "here", texts[i])->value.load(); }

TEST(ClientLibraryStats, count_from_the_start_of_the_worker) {
    workshop w;
    w.made = 10;  // in the parent process
    w.open = 1;
    resource_reader reader;
    const statistics_memory s;
    w.made = 12;
    w.open = 3;
    reader.look(*s);
    EXPECT_EQ(value(*s, 0), 2u);
    EXPECT_EQ(value(*s, 1), 3u);
    w.made = 13;
    w.open = 2;
    reader.look(*s);
    reader.look(*s);
    EXPECT_EQ(value(*s, 0), 3u);
    EXPECT_EQ(value(*s, 1), 2u);
}

TEST(ClientLibraryStats, continue_in_the_next_worker) {
    const statistics_memory s;
    {
        resource_reader reader;
        workshop w;
        w.made = 5;
        w.open = 4;
        reader.look(*s);
    }
    s->begin(1);
    EXPECT_EQ(value(*s, 0), 5u);
    EXPECT_EQ(value(*s, 1), 0u);
    resource_reader reader;
    workshop next;
    next.made = 2;
    reader.look(*s);
    EXPECT_EQ(value(*s, 0), 7u);
}

TEST(ClientLibraryStats, beyond_the_table_are_dropped) {
    const statistics_memory s;
    for (std::size_t i = 0; i < statistics::max_resources; ++i)
        ASSERT_NE(s->resource_of("g", std::to_string(i), texts[0]), nullptr);
    EXPECT_EQ(s->resource_of("g", "too many", texts[0]), nullptr);
    EXPECT_EQ(s->resource_of("g", "7", texts[0]), &s->resources[7]);
}

TEST(ClientLibraryStats, with_truncated_names_share_a_row) {
    const statistics_memory s;
    const std::string long_name(300, 'x');
    EXPECT_EQ(s->resource_of("g", long_name, texts[0]), s->resource_of("g", long_name, texts[0]));
}

}  // namespace
}  // namespace rondo::stats
