// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/status_text.hpp>

#include <gtest/gtest.h>

#include <rondo/admin/metrics.hpp>

namespace rondo::admin {
namespace {

/// What a worker with one view says, of which `requests` came.
codec::json_value status(std::uint64_t requests, std::int64_t at_ms) {
    static stats::statistics_memory figures;
    figures->begin(7);
    figures->state = stats::worker_state::serving;
    figures->requests = requests;
    const auto row = figures->row_of({.pattern = "/slow", .methods = "GET, HEAD", .kind = "sync"});
    auto& view = figures->views[row];
    view.by_class[2] = requests;
    view.wall_ns = static_cast<std::int64_t>(requests) * 100'000'000;
    view.queue_ns = static_cast<std::int64_t>(requests) * 80'000'000;
    (void)figures->take_row(row, clock::now());
    figures->resource_of("cache", "memory:", {"hits", ""})->value = 12;
    figures->resource_of("cache", "memory:", {"misses", ""})->value = 0;
    figures->log_lines_lost = 3;
    const worker_source source{.name = "0", .figures = &*figures, .alive = true, .process = 7};
    return *codec::parse_json(status_json(read_all({&source, 1}, clock::now()), at_ms));
}

TEST(status_text, has_workers_views_advice_and_what_runs) {
    const std::string text = status_text(status(100, 1000), {}, SIZE_MAX);
    EXPECT_NE(text.find("1 workers   100 requests"), text.npos) << text;
    EXPECT_NE(text.find("\n0       serving"), text.npos) << text;
    EXPECT_NE(text.find("\nGET, HEAD /slow  sync       100"), text.npos) << text;
    EXPECT_NE(text.find("! /slow 80 % of its time is waiting for a thread"), text.npos) << text;
    EXPECT_NE(text.find("\n/slow    sync  loop"), text.npos) << text;
    EXPECT_NE(text.find("\ncache          memory:  hits 12\n"), text.npos) << text;
    EXPECT_NE(text.find("log lines lost 3\n"), text.npos) << text;
}

TEST(status_text, tells_of_compute_processes_where_there_are_some) {
    EXPECT_EQ(status_text(status(1, 1000), {}, SIZE_MAX).find("ISOLATED"), std::string::npos);
    const compute_source idle{
        .group = "model", .name = "0", .alive = true, .ready = true, .process = 8, .resident_bytes = 3 << 20};
    const auto json = *codec::parse_json(status_json(read_all({}, clock::now(), 0, {&idle, 1}), 1000));
    const std::string text = status_text(json, {}, SIZE_MAX);
    EXPECT_NE(text.find("\nmodel      0/1        0     0"), text.npos) << text;
    EXPECT_NE(text.find("\nmodel 0  idle         8"), text.npos) << text;
    EXPECT_NE(text.find("3 MiB"), text.npos) << text;
}

TEST(status_text, rates_are_of_the_time_between_two_looks) {
    const auto before = status(100, 1000);
    const std::string text = status_text(status(160, 3000), before, SIZE_MAX);
    EXPECT_NE(text.find("160 requests, 30 a second"), text.npos) << text;
}

TEST(status_text, fits_the_screen) {
    const std::string text = status_text(status(100, 1000), {}, 40);
    std::size_t at = 0;
    for (std::size_t end = text.find('\n'); end != text.npos; at = end + 1, end = text.find('\n', at))
        EXPECT_LE(end - at, 40u);
}

}  // namespace
}  // namespace rondo::admin
