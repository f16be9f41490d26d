// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include <rondo/loop/stall_detector.hpp>

namespace rondo {

// Not in the unnamed namespace: these names must appear in stacks.
[[gnu::noinline]] void compute_for_too_long(std::chrono::milliseconds d) {
    for (instant end = from_now(d); clock::now() < end;) {
    }
}

task<> view_that_holds_the_loop(std::chrono::milliseconds d) {
    compute_for_too_long(d);
    co_return;
}

task<> view_that_sleeps_on_the_loop(std::chrono::milliseconds d) {
    std::this_thread::sleep_for(d);
    co_return;
}

namespace {

using namespace std::chrono_literals;

struct stall_log {
    stall_detector::function function() {
        return [this](const stall_report& r) {
            std::lock_guard lock(mutex);
            reports.push_back(r);
        };
    }
    std::vector<stall_report> copy_reports() {
        std::lock_guard lock(mutex);
        return reports;
    }
    std::mutex mutex;
    std::vector<stall_report> reports;
};

task<> wait_for_reports(event_loop& loop, stall_log& log, std::size_t count) {
    for (instant end = from_now(20s); log.copy_reports().size() < count && clock::now() < end;)
        co_await loop.sleep(5ms);
}

task<> start_in_turn(event_loop& loop, task<> then) {
    co_await loop.sleep(30ms);
    co_await std::move(then);
}

TEST(StallDetector, reports_the_blocking_work_and_its_stack) {
    event_loop loop;
    stall_log log;
    stall_detector detector(loop, {}, log.function());
    task_context c;
    c.name = "GET /block";
    loop.run_until(start_in_turn(loop, view_that_holds_the_loop(300ms)), &c);
    loop.run_until(wait_for_reports(loop, log, 2));
    auto reports = log.copy_reports();
    ASSERT_EQ(reports.size(), 2u);
    const stall_report& first = reports[0];
    EXPECT_FALSE(first.ended);
    EXPECT_EQ(first.context_name, "GET /block");
    EXPECT_NE(first.stack.find("compute_for_too_long"), std::string::npos) << first.stack;
    EXPECT_NE(first.stack.find("view_that_holds_the_loop"), std::string::npos) << first.stack;
    EXPECT_NE(first.stack.find("stall_detector_test.cpp:"), std::string::npos) << first.stack;
    EXPECT_EQ(first.stack.find("turn_until"), std::string::npos) << first.stack;
    EXPECT_GE(first.duration, 50ms);
    const stall_report& last = reports[1];
    EXPECT_TRUE(last.ended);
    EXPECT_EQ(last.context_name, "GET /block");
    EXPECT_GE(last.duration, 295ms);
    EXPECT_TRUE(last.stack.empty());
    EXPECT_EQ(loop.counters().stalls, 1u);
    EXPECT_GE(loop.counters().longest_turn_ns, 290'000'000);
}

TEST(StallDetector, reports_a_loop_blocked_in_a_system_call) {
    event_loop loop;
    stall_log log;
    stall_detector detector(loop, {.threshold = 20ms}, log.function());
    loop.run_until(start_in_turn(loop, view_that_sleeps_on_the_loop(200ms)));
    loop.run_until(wait_for_reports(loop, log, 2));
    auto reports = log.copy_reports();
    ASSERT_EQ(reports.size(), 2u);
    EXPECT_NE(reports[0].stack.find("view_that_sleeps_on_the_loop"), std::string::npos) << reports[0].stack;
    EXPECT_EQ(reports[0].context_name, "");
    EXPECT_GE(reports[1].duration, 195ms);
    EXPECT_LT(reports[1].cpu_time, 100ms);
}

task<> many_pieces(event_loop& loop, int count, std::chrono::milliseconds each) {
    for (int i = 0; i < count; ++i) {
        loop.post([each] { compute_for_too_long(each); });
        co_await loop.sleep(0ms);
    }
}

task<> one_piece(event_loop& loop, std::chrono::milliseconds d) {
    co_await loop.sleep(1ms);
    compute_for_too_long(d);
}

TEST(StallDetector, does_not_report_short_pieces_of_work) {
    event_loop loop;
    stall_log log;
    stall_detector detector(loop, {.threshold = 500ms}, log.function());
    loop.run_until(many_pieces(loop, 20, 2ms));
    loop.run_until(one_piece(loop, 20ms));
    EXPECT_TRUE(log.copy_reports().empty());
    EXPECT_EQ(loop.counters().stalls, 0u);
}

// Sixty coroutines that become ready at the same time run in one turn, which exceeds the threshold by far.
TEST(StallDetector, does_not_report_a_long_turn_of_short_pieces) {
    event_loop loop;
    stall_log log;
    stall_detector detector(loop, {.threshold = 200ms}, log.function());
    instant together = from_now(20ms);
    struct piece {
        static task<> run(event_loop& l, instant at) {
            co_await l.sleep_until(at);
            compute_for_too_long(10ms);
        }
    };
    std::vector<task<>> pieces;
    for (int i = 0; i < 60; ++i) pieces.push_back(piece::run(loop, together));
    loop.run_until([](event_loop& l, std::vector<task<>>& all) -> task<> {
        for (auto& p : all) p.coroutine().resume();
        while (!all.back().done()) co_await l.sleep(1ms);
    }(loop, pieces));
    EXPECT_GE(loop.counters().longest_turn_ns, 500'000'000);
    EXPECT_TRUE(log.copy_reports().empty());
    EXPECT_EQ(loop.counters().stalls, 0u);
}

// The detector may miss a stall while it resolves the names of a stack.
task<> hold_until_counted(event_loop& loop, std::uint64_t stalls) {
    for (instant end = from_now(20s); loop.counters().stalls < stalls && clock::now() < end;) {
        co_await start_in_turn(loop, view_that_holds_the_loop(80ms));
    }
}

TEST(StallDetector, counts_stalls_that_it_does_not_report) {
    event_loop loop;
    stall_log log;
    {
        stall_detector detector(loop, {.threshold = 10ms, .max_reports_per_minute = 1}, log.function());
        for (std::uint64_t i = 1; i <= 3; ++i) loop.run_until(hold_until_counted(loop, i));
        loop.run_until(wait_for_reports(loop, log, 2));
    }
    EXPECT_EQ(log.copy_reports().size(), 2u);
    EXPECT_GE(loop.counters().stalls, 3u);
    stall_detector counting(loop, {.threshold = 10ms, .max_reports_per_minute = 0}, log.function());
    auto before = loop.counters().stalls.load();
    loop.run_until(hold_until_counted(loop, before + 1));
    EXPECT_GE(loop.counters().stalls, before + 1);
    EXPECT_EQ(log.copy_reports().size(), 2u);
}

TEST(StallDetector, does_not_read_a_destroyed_context) {
    event_loop loop;
    stall_log log;
    stall_detector detector(loop, {.threshold = 10ms}, log.function());
    loop.run_until([](event_loop& l) -> task<> {
        co_await l.sleep(15ms);
        // Like memory returned to the system.
        void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        auto* destroyed = new (page) task_context;
        l.activity().enter(destroyed);
        destroyed->~task_context();
        munmap(page, 4096);
        compute_for_too_long(100ms);
    }(loop));
    loop.run_until(wait_for_reports(loop, log, 1));
    ASSERT_FALSE(log.copy_reports().empty());
    EXPECT_EQ(log.copy_reports()[0].context_name, "");
}

// Fails by a crash or a sanitizer report only.
TEST(StallDetector, may_be_destroyed_at_any_time) {
    event_loop loop;
    for (int i = 0; i < 30; ++i) {
        stall_detector detector(loop, {.threshold = 2ms, .max_reports_per_minute = 2}, [](const stall_report&) {});
        loop.run_until(view_that_holds_the_loop(std::chrono::milliseconds(i % 7)));
    }
}

TEST(StallReport, describes_the_stall) {
    stall_report r{
        .duration = 75ms, .cpu_time = 74ms, .context_name = "/block", .stack = "f at a.cpp:1\ng", .not_reported = 3};
    EXPECT_EQ(r.text(),
              "event loop blocked by /block, for 75 ms so far, 74 ms of it CPU time (3 more stalls not reported); "
              "stack:\nf at a.cpp:1\ng");
    stall_report over{.duration = 120ms, .cpu_time = 130ms, .ended = true, .context_name = "", .stack = ""};
    EXPECT_EQ(over.text(),
              "event loop resumed after it was blocked for 120 ms by code outside of requests, 120 ms of it CPU time");
}

}  // namespace
}  // namespace rondo
