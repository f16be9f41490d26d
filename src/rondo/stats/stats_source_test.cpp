// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/stats_source.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

namespace rondo {
namespace {

constexpr metric_descriptor descriptors[] = {{"made", "What was made."}, {"open", "What is open.", false}};

struct workshop {
    explicit workshop(std::string n) : name(std::move(n)) {}
    std::string name;
    std::atomic<std::uint64_t> made{0};
    std::atomic<std::uint64_t> open{0};
    bool used = true;
    stats_source source{"workshop", descriptors, [this] { return name; },
                        [this](std::span<std::uint64_t> to) {
                            to[0] = made;
                            to[1] = open;
                            return used;
                        }};
};

std::optional<stats_source::snapshot> find_snapshot(std::string_view name) {
    for (stats_source::snapshot& f : stats_source::snapshot_all())
        if (f.group == "workshop" && f.name == name) return std::move(f);
    return std::nullopt;
}

TEST(StatsSource, adds_up_sources_of_the_same_name) {
    workshop one("a");
    workshop two("a");
    workshop other("b");
    one.made = 3;
    one.open = 1;
    two.made = 4;
    two.open = 2;
    EXPECT_EQ(find_snapshot("a")->values, (std::vector<std::uint64_t>{7, 3}));
    EXPECT_EQ(find_snapshot("b")->values, (std::vector<std::uint64_t>{0, 0}));
    EXPECT_EQ(find_snapshot("a")->descriptors[1].name, "open");
}

TEST(StatsSource, keeps_the_counters_of_destroyed_sources) {
    auto first = std::make_unique<workshop>("destroyed");
    first->made = 5;
    first->open = 2;
    first.reset();
    EXPECT_EQ(find_snapshot("destroyed")->values, (std::vector<std::uint64_t>{5, 0}));
    workshop second("destroyed");
    second.made = 1;
    second.open = 1;
    EXPECT_EQ(find_snapshot("destroyed")->values, (std::vector<std::uint64_t>{6, 1}));
}

TEST(StatsSource, omits_unused_sources) {
    workshop unused("unused");
    unused.used = false;
    EXPECT_FALSE(find_snapshot("unused"));
    unused.used = true;
    EXPECT_TRUE(find_snapshot("unused"));
}

TEST(StatsSource, omits_only_the_source_whose_name_is_not_known_yet) {
    const stats_source nameless(
        "workshop", descriptors, []() -> std::string { throw std::runtime_error("not yet"); },
        [](std::span<std::uint64_t>) { return true; });
    workshop other("known");
    EXPECT_TRUE(find_snapshot("known"));
}

TEST(StatsSource, is_created_and_destroyed_during_snapshots) {
    std::atomic<bool> end{false};
    std::thread reader([&] {
        while (!end) (void)stats_source::snapshot_all();
    });
    for (int i = 0; i < 1000; ++i) {
        workshop short_lived("short");
        short_lived.made = 1;
    }
    end = true;
    reader.join();
    EXPECT_EQ(find_snapshot("short")->values[0], 1000u);
}

}  // namespace
}  // namespace rondo
