// SPDX-License-Identifier: Apache-2.0
#include <rondo/admin/view_advice.hpp>
#include <rondo/admin/view_snapshot.hpp>

#include <gtest/gtest.h>

namespace rondo::admin {
namespace {

constexpr std::int64_t ms = 1'000'000;

/// Times of one request.
struct request_times {
    std::int64_t wall = 0, loop = 0, queue = 0, thread = 0;
    double cpu = 0;  // share of the measured time, which is a tenth of the time on loop and threads
};

view_snapshot view_with(const char* kind, const request_times& times, std::uint64_t requests = 100) {
    view_snapshot v;
    v.pattern = "/predict";
    v.kind = kind;
    v.by_class[2] = requests;
    const auto n = static_cast<std::int64_t>(requests);
    v.wall_ns = times.wall * n;
    v.loop_ns = times.loop * n;
    v.queue_ns = times.queue * n;
    v.thread_ns = times.thread * n;
    v.measured_ns = (times.loop + times.thread) * n / 10;
    v.cpu_ns = static_cast<std::int64_t>(static_cast<double>(v.measured_ns) * times.cpu);
    return v;
}

void expect_words(const std::string& text, std::initializer_list<const char*> words) {
    for (const char* word : words) EXPECT_NE(text.find(word), std::string::npos) << word << " is not in: " << text;
}

TEST(Advice, an_async_view_that_computes) {
    expect_words(advice(view_with("async", {.wall = 46 * ms, .loop = 45 * ms, .cpu = 0.99})),
                 {"blocks the event loop for 45 ms", "98 %", "rondo::cpu"});
}

TEST(Advice, an_async_view_that_blocks) {
    expect_words(advice(view_with("async", {.wall = 50 * ms, .loop = 49 * ms, .cpu = 0.02})),
                 {"event loop", "make it sync"});
}

TEST(Advice, an_async_view_on_an_overloaded_machine) {
    expect_words(advice(view_with("async", {.wall = 50 * ms, .loop = 49 * ms, .cpu = 0.3})),
                 {"event loop", "if it computes"});
}

TEST(Advice, an_async_view_that_stalls_occasionally) {
    auto v = view_with("async", {.wall = 10 * ms, .loop = ms});
    v.stalls = 2;
    EXPECT_EQ(advice(v), "");
    v.stalls = 3;
    expect_words(advice(v), {"3 times", "log"});
}

TEST(Advice, a_sync_view_that_only_waits) {
    expect_words(advice(view_with("sync", {.wall = 101 * ms, .thread = 100 * ms, .cpu = 0.01})),
                 {"only waits", "make it async"});
}

TEST(Advice, a_sync_view_that_computes) {
    expect_words(advice(view_with("sync", {.wall = 21 * ms, .thread = 20 * ms, .cpu = 0.97})),
                 {"97 % CPU", "rondo::cpu"});
}

TEST(Advice, a_sync_view_that_waits_for_threads) {
    expect_words(advice(view_with("sync", {.wall = 100 * ms, .queue = 80 * ms, .thread = 19 * ms, .cpu = 0.4})),
                 {"80 %", "--threads"});
}

TEST(Advice, a_cpu_view_that_hardly_computes) {
    expect_words(advice(view_with("cpu", {.wall = 31 * ms, .thread = 30 * ms, .cpu = 0.05})),
                 {"hardly computes", "sync"});
}

TEST(Advice, a_cpu_view_that_waits_for_threads) {
    expect_words(advice(view_with("cpu", {.wall = 100 * ms, .queue = 90 * ms, .thread = 10 * ms, .cpu = 0.9})),
                 {"90 %", "compute thread"});
}

TEST(Advice, is_empty_for_views_of_the_right_kind) {
    EXPECT_EQ(advice(view_with("async", {.wall = 500 * ms, .loop = ms / 10, .cpu = 0.9})), "");
    EXPECT_EQ(advice(view_with("async", {.wall = 5'000, .loop = 4'000, .cpu = 1})), "");
    EXPECT_EQ(advice(view_with("sync", {.wall = 12 * ms, .queue = ms / 10, .thread = 11 * ms, .cpu = 0.4})), "");
    EXPECT_EQ(advice(view_with("sync", {.wall = ms / 20, .thread = ms / 100, .cpu = 1})), "");
    EXPECT_EQ(advice(view_with("cpu", {.wall = 80 * ms, .queue = 10 * ms, .thread = 70 * ms, .cpu = 0.5})), "");
    EXPECT_EQ(advice(view_with("isolated", {.wall = 80 * ms, .queue = 70 * ms})), "");
}

TEST(Advice, is_empty_for_few_requests) {
    EXPECT_EQ(advice(view_with("async", {.wall = 46 * ms, .loop = 45 * ms, .cpu = 1}, 19)), "");
    EXPECT_EQ(advice(view_with("async", {}, 0)), "");
}

TEST(ViewSnapshot, adds_up_several_workers) {
    auto a = view_with("async", {.wall = 10 * ms, .loop = ms});
    auto b = view_with("async", {.wall = 20 * ms, .loop = 2 * ms}, 50);
    b.latency[7] = 50;
    EXPECT_TRUE(a.is_same_view(b));
    a.add(b);
    EXPECT_EQ(a.requests(), 150u);
    EXPECT_EQ(a.wall_ns, 2000 * ms);
    EXPECT_EQ(a.latency[7], 50u);
    b.kind = "sync";
    EXPECT_FALSE(a.is_same_view(b));
}

}  // namespace
}  // namespace rondo::admin
