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
    worker_stats_memory s;
    EXPECT_EQ(s->requests, 0u);
    EXPECT_EQ(s->state.load(), worker_state::none);
    EXPECT_EQ(s->starts, 0u);
}

TEST(WorkerStats, rejects_small_or_misaligned_memory) {
    alignas(64) static std::array<std::byte, 128> small{};
    EXPECT_THROW((void)worker_stats::attach(small), std::invalid_argument);
}

TEST(WorkerStats, clears_another_layout_and_keeps_its_own) {
    worker_stats_memory s;
    s->requests = 7;
    const std::span memory(reinterpret_cast<std::byte*>(&*s), sizeof(worker_stats));
    EXPECT_EQ(worker_stats::attach(memory).requests, 7u);
    EXPECT_EQ(worker_stats::attach_read_only(memory), &*s);
    s->layout = 12345;
    EXPECT_EQ(worker_stats::attach_read_only(memory), nullptr);
    EXPECT_EQ(s->requests, 7u) << "a reader clears nothing";
    EXPECT_EQ(worker_stats::attach(memory).requests, 0u);
}

TEST(WorkerStats, finds_the_row_of_a_view_again) {
    worker_stats_memory s;
    const std::uint16_t row = s->view_row(articles);
    EXPECT_GT(row, 0);
    EXPECT_EQ(s->view_row(articles), row);
    EXPECT_EQ(s->views[row].name().pattern, articles.pattern);
    EXPECT_EQ(s->views[row].name().methods, articles.methods);
    EXPECT_EQ(s->views[row].name().kind, articles.kind);
    view_name other = articles;
    other.kind = "sync";
    EXPECT_NE(s->view_row(other), row) << "each kind has its own row";
    const std::string long_pattern = "/" + std::string(500, 'x');
    other.pattern = long_pattern;
    EXPECT_EQ(s->view_row(other), s->view_row(other));
}

TEST(WorkerStats, views_beyond_the_table_share_a_row) {
    worker_stats_memory s;
    for (int i = 0; i < 1000; ++i) {
        const std::string pattern = "/" + std::to_string(i);
        const auto row = s->view_row({.pattern = pattern, .methods = "GET", .kind = "sync"});
        EXPECT_EQ(row, std::min(i + 1, 511));
    }
    EXPECT_EQ(s->views[511].name().pattern, "(other)");
}

TEST(WorkerStats, reuses_rows_of_running_requests) {
    worker_stats_memory s;
    s->on_worker_start(1);
    const instant now = clock::now();
    const auto a = s->acquire_row(3, now);
    const auto b = s->acquire_row(4, now);
    EXPECT_NE(a, b);
    EXPECT_EQ(s->waiting, 2u);
    EXPECT_EQ(s->running_row(a)->view_row, 3);
    EXPECT_EQ(s->running_row(a)->state.load(), request_state::loop);
    s->release_row(a);
    EXPECT_EQ(s->running_row(a)->state.load(), request_state::none);
    EXPECT_EQ(s->waiting, 1u);
    EXPECT_EQ(s->acquire_row(5, now), a);
    EXPECT_EQ(s->rows_used, 2u);
}

TEST(WorkerStats, counts_waiting_requests_beyond_the_table) {
    worker_stats_memory s;
    s->on_worker_start(1);
    std::vector<std::uint16_t> rows;
    for (std::size_t i = 0; i < worker_stats::max_running + 10; ++i) rows.push_back(s->acquire_row(0, clock::now()));
    EXPECT_EQ(s->waiting, worker_stats::max_running + 10);
    EXPECT_EQ(std::count(rows.begin(), rows.end(), worker_stats::no_row), 10);
    EXPECT_EQ(s->running_row(worker_stats::no_row), nullptr);
    EXPECT_EQ(s->running_row(0), nullptr);
    for (std::uint16_t row : rows) s->release_row(row);
    EXPECT_EQ(s->waiting, 0u);
    EXPECT_NE(s->acquire_row(0, clock::now()), worker_stats::no_row);
}

// The memory is shared: another process may have overwritten it.
TEST(WorkerStats, overwritten_indices_and_names_cause_no_access_outside) {
    worker_stats_memory s;
    (void)s->view_row(articles);
    s->views[1].pattern.fill('x');
    s->views[1].methods.fill('y');
    s->views[1].kind.fill('z');
    EXPECT_EQ(s->views[1].name().pattern, std::string(sizeof(view_stats::pattern), 'x'));
    EXPECT_EQ(s->views[1].name().kind, std::string(sizeof(view_stats::kind), 'z'));
    EXPECT_EQ(s->view_row(articles), 2);
    s->rows_used = UINT64_MAX;
    s->on_worker_start(1);
    EXPECT_EQ(s->rows_used, 0u);
    s->rows_used = worker_stats::max_running + 7;
    EXPECT_EQ(s->acquire_row(0, clock::now()), worker_stats::no_row);
    s->free_head = 60'000;
    EXPECT_EQ(s->acquire_row(0, clock::now()), worker_stats::no_row);
}

TEST(WorkerStats, continue_after_a_worker_died) {
    worker_stats_memory s;
    s->on_worker_start(100);
    s->requests = 10;
    s->in_flight = 3;
    s->connections = 5;
    (void)s->acquire_row(1, clock::now());
    s->on_worker_start(101);
    EXPECT_EQ(s->requests, 10u);
    EXPECT_EQ(s->lost_requests, 3u);
    EXPECT_EQ(s->in_flight, 0u);
    EXPECT_EQ(s->waiting, 0u);
    EXPECT_EQ(s->connections, 0u);
    EXPECT_EQ(s->rows_used, 0u);
    EXPECT_EQ(s->starts, 2u);
    EXPECT_EQ(s->crashes, 1u);
    EXPECT_EQ(s->pid, 101);
    s->state = worker_state::ended;
    s->on_worker_start(102);
    EXPECT_EQ(s->crashes, 1u);
}

}  // namespace
}  // namespace rondo::stats
