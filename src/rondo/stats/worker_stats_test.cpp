// SPDX-License-Identifier: Apache-2.0
#include <rondo/stats/worker_stats.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace rondo::stats {
namespace {

constexpr view_name articles{.pattern = "/articles/<int:n>", .methods = "GET, HEAD", .kind = "async"};

TEST(WorkerStats, zeroed_memory_has_no_counts) {
    statistics_memory s;
    EXPECT_EQ(s->requests, 0u);
    EXPECT_EQ(s->state.load(), worker_state::none);
    EXPECT_EQ(s->starts, 0u);
}

TEST(WorkerStats, rejects_small_or_misaligned_memory) {
    alignas(64) static std::array<std::byte, 128> small{};
    EXPECT_THROW((void)statistics::in(small), std::invalid_argument);
}

TEST(WorkerStats, clears_another_layout_and_keeps_its_own) {
    statistics_memory s;
    s->requests = 7;
    const std::span memory(reinterpret_cast<std::byte*>(&*s), sizeof(statistics));
    EXPECT_EQ(statistics::in(memory).requests, 7u);
    EXPECT_EQ(statistics::look(memory), &*s);
    s->layout = 12345;
    EXPECT_EQ(statistics::look(memory), nullptr);
    EXPECT_EQ(s->requests, 7u) << "a reader clears nothing";
    EXPECT_EQ(statistics::in(memory).requests, 0u);
}

TEST(WorkerStats, finds_the_row_of_a_view_again) {
    statistics_memory s;
    const std::uint16_t row = s->row_of(articles);
    EXPECT_GT(row, 0);
    EXPECT_EQ(s->row_of(articles), row);
    EXPECT_EQ(s->views[row].name().pattern, articles.pattern);
    EXPECT_EQ(s->views[row].name().methods, articles.methods);
    EXPECT_EQ(s->views[row].name().kind, articles.kind);
    view_name other = articles;
    other.kind = "sync";
    EXPECT_NE(s->row_of(other), row) << "each kind has its own row";
    const std::string long_pattern = "/" + std::string(500, 'x');
    other.pattern = long_pattern;
    EXPECT_EQ(s->row_of(other), s->row_of(other));
}

TEST(WorkerStats, views_beyond_the_table_share_a_row) {
    statistics_memory s;
    for (int i = 0; i < 1000; ++i) {
        const std::string pattern = "/" + std::to_string(i);
        const auto row = s->row_of({.pattern = pattern, .methods = "GET", .kind = "sync"});
        EXPECT_EQ(row, std::min(i + 1, 511));
    }
    EXPECT_EQ(s->views[511].name().pattern, "(other)");
}

TEST(WorkerStats, reuses_rows_of_running_requests) {
    statistics_memory s;
    s->begin(1);
    const instant now = clock::now();
    const auto a = s->take_row(3, now);
    const auto b = s->take_row(4, now);
    EXPECT_NE(a, b);
    EXPECT_EQ(s->waiting, 2u);
    EXPECT_EQ(s->row(a)->view, 3);
    EXPECT_EQ(s->row(a)->where.load(), place::loop);
    s->free_row(a);
    EXPECT_EQ(s->row(a)->where.load(), place::none);
    EXPECT_EQ(s->waiting, 1u);
    EXPECT_EQ(s->take_row(5, now), a);
    EXPECT_EQ(s->rows_used, 2u);
}

TEST(WorkerStats, counts_waiting_requests_beyond_the_table) {
    statistics_memory s;
    s->begin(1);
    std::vector<std::uint16_t> rows;
    for (std::size_t i = 0; i < statistics::max_running + 10; ++i) rows.push_back(s->take_row(0, clock::now()));
    EXPECT_EQ(s->waiting, statistics::max_running + 10);
    EXPECT_EQ(std::count(rows.begin(), rows.end(), statistics::no_row), 10);
    EXPECT_EQ(s->row(statistics::no_row), nullptr);
    EXPECT_EQ(s->row(0), nullptr);
    for (std::uint16_t row : rows) s->free_row(row);
    EXPECT_EQ(s->waiting, 0u);
    EXPECT_NE(s->take_row(0, clock::now()), statistics::no_row);
}

// The memory is shared: another process may have overwritten it.
TEST(WorkerStats, overwritten_indices_and_names_cause_no_access_outside) {
    statistics_memory s;
    (void)s->row_of(articles);
    s->views[1].pattern.fill('x');
    s->views[1].methods.fill('y');
    s->views[1].kind.fill('z');
    EXPECT_EQ(s->views[1].name().pattern, std::string(sizeof(view_figures::pattern), 'x'));
    EXPECT_EQ(s->views[1].name().kind, std::string(sizeof(view_figures::kind), 'z'));
    EXPECT_EQ(s->row_of(articles), 2);
    s->rows_used = UINT64_MAX;
    s->begin(1);
    EXPECT_EQ(s->rows_used, 0u);
    s->rows_used = statistics::max_running + 7;
    EXPECT_EQ(s->take_row(0, clock::now()), statistics::no_row);
    s->free_head = 60'000;
    EXPECT_EQ(s->take_row(0, clock::now()), statistics::no_row);
}

TEST(WorkerStats, continue_after_a_worker_died) {
    statistics_memory s;
    s->begin(100);
    s->requests = 10;
    s->in_flight = 3;
    s->connections = 5;
    (void)s->take_row(1, clock::now());
    s->begin(101);
    EXPECT_EQ(s->requests, 10u);
    EXPECT_EQ(s->lost, 3u);
    EXPECT_EQ(s->in_flight, 0u);
    EXPECT_EQ(s->waiting, 0u);
    EXPECT_EQ(s->connections, 0u);
    EXPECT_EQ(s->rows_used, 0u);
    EXPECT_EQ(s->starts, 2u);
    EXPECT_EQ(s->crashes, 1u);
    EXPECT_EQ(s->process, 101);
    s->state = worker_state::ended;
    s->begin(102);
    EXPECT_EQ(s->crashes, 1u);
}

}  // namespace
}  // namespace rondo::stats
