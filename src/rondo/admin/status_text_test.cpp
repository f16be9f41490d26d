// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/status_text.hpp>

#include <gtest/gtest.h>

#include <rondo/admin/metrics.hpp>
#include <rondo/admin/status_json.hpp>

namespace rondo::admin {
namespace {

/// The status of a worker with one view that received `requests`.
codec::json_value status(std::uint64_t requests, std::int64_t at_ms) {
    static stats::worker_stats_memory memory;
    memory->on_worker_start(7);
    memory->state = stats::worker_state::serving;
    memory->requests = requests;
    const auto row = memory->view_row({.pattern = "/slow", .methods = "GET, HEAD", .kind = "sync"});
    auto& view = memory->views[row];
    view.by_class[2] = requests;
    view.wall_ns = static_cast<std::int64_t>(requests) * 100'000'000;
    view.queue_ns = static_cast<std::int64_t>(requests) * 80'000'000;
    (void)memory->acquire_row(row, clock::now());
    memory->client_library_stat_row("cache", "memory:", {"hits", ""})->value = 12;
    memory->client_library_stat_row("cache", "memory:", {"misses", ""})->value = 0;
    memory->access_log_lines_lost = 3;
    const worker_source source{.name = "0", .counters = &*memory, .alive = true, .pid = 7};
    return *codec::parse_json(status_json(take_snapshot({&source, 1}, clock::now()), at_ms));
}

TEST(StatusText, shows_workers_views_advice_and_running_requests) {
    const std::string text = status_text(status(100, 1000), {}, SIZE_MAX);
    EXPECT_NE(text.find("1 workers   100 requests"), text.npos) << text;
    EXPECT_NE(text.find("\n0       serving"), text.npos) << text;
    EXPECT_NE(text.find("\nGET, HEAD /slow  sync       100"), text.npos) << text;
    EXPECT_NE(text.find("! /slow spends 80 % of its time waiting for a thread"), text.npos) << text;
    EXPECT_NE(text.find("\n/slow    sync  loop"), text.npos) << text;
    EXPECT_NE(text.find("\ncache     memory:  hits 12\n"), text.npos) << text;
    EXPECT_NE(text.find("log lines lost 3\n"), text.npos) << text;
}

TEST(StatusText, shows_compute_processes_if_there_are_any) {
    EXPECT_EQ(status_text(status(1, 1000), {}, SIZE_MAX).find("ISOLATED"), std::string::npos);
    const compute_source idle{
        .group = "model", .name = "0", .alive = true, .ready = true, .pid = 8, .resident_bytes = 3 << 20};
    const auto json = *codec::parse_json(status_json(take_snapshot({}, clock::now(), 0, {&idle, 1}), 1000));
    const std::string text = status_text(json, {}, SIZE_MAX);
    EXPECT_NE(text.find("\nmodel      0/1        0     0"), text.npos) << text;
    EXPECT_NE(text.find("\nmodel 0  idle     8"), text.npos) << text;
    EXPECT_NE(text.find("3 MiB"), text.npos) << text;
}

TEST(StatusText, computes_rates_between_two_statuses) {
    const auto before = status(100, 1000);
    const std::string text = status_text(status(160, 3000), before, SIZE_MAX);
    EXPECT_NE(text.find("160 requests, 30/s"), text.npos) << text;
}

TEST(StatusText, truncates_lines_to_the_width) {
    const std::string text = status_text(status(100, 1000), {}, 40);
    std::size_t at = 0;
    for (std::size_t end = text.find('\n'); end != text.npos; at = end + 1, end = text.find('\n', at))
        EXPECT_LE(end - at, 40u);
}

}  // namespace
}  // namespace rondo::admin
