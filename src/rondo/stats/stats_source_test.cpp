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

constexpr figure_text texts[] = {{"made", "What was made."}, {"open", "What is open.", false}};

struct workshop {
    explicit workshop(std::string n) : name(std::move(n)) {}
    std::string name;
    std::atomic<std::uint64_t> made{0};
    std::atomic<std::uint64_t> open{0};
    bool used = true;
    observed told{"workshop", texts, [this] { return name; },
                  [this](std::span<std::uint64_t> to) {
                      to[0] = made;
                      to[1] = open;
                      return used;
                  }};
};

std::optional<observed::figures> figures_of(std::string_view name) {
    for (observed::figures& f : observed::look())
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
    EXPECT_EQ(figures_of("a")->values, (std::vector<std::uint64_t>{7, 3}));
    EXPECT_EQ(figures_of("b")->values, (std::vector<std::uint64_t>{0, 0}));
    EXPECT_EQ(figures_of("a")->texts[1].name, "open");
}

TEST(StatsSource, keeps_the_counters_of_destroyed_sources) {
    auto first = std::make_unique<workshop>("destroyed");
    first->made = 5;
    first->open = 2;
    first.reset();
    EXPECT_EQ(figures_of("destroyed")->values, (std::vector<std::uint64_t>{5, 0}));
    workshop second("destroyed");
    second.made = 1;
    second.open = 1;
    EXPECT_EQ(figures_of("destroyed")->values, (std::vector<std::uint64_t>{6, 1}));
}

TEST(StatsSource, omits_unused_sources) {
    workshop unused("unused");
    unused.used = false;
    EXPECT_FALSE(figures_of("unused"));
    unused.used = true;
    EXPECT_TRUE(figures_of("unused"));
}

TEST(StatsSource, omits_only_the_source_whose_name_is_not_known_yet) {
    const observed nameless(
        "workshop", texts, []() -> std::string { throw std::runtime_error("not yet"); },
        [](std::span<std::uint64_t>) { return true; });
    workshop other("known");
    EXPECT_TRUE(figures_of("known"));
}

TEST(StatsSource, is_created_and_destroyed_during_snapshots) {
    std::atomic<bool> end{false};
    std::thread reader([&] {
        while (!end) (void)observed::look();
    });
    for (int i = 0; i < 1000; ++i) {
        workshop short_lived("short");
        short_lived.made = 1;
    }
    end = true;
    reader.join();
    EXPECT_EQ(figures_of("short")->values[0], 1000u);
}

}  // namespace
}  // namespace rondo
