// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/ready_queue.hpp>

#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/coro/live_objects_fixture.hpp>

namespace rondo {
namespace {

task<void> append_after(event& e, std::vector<int>& notes, int n) {
    co_await e.wait();
    notes.push_back(n);
}

struct waiting_task {
    waiting_task(std::vector<int>& notes, int n) : task_(append_after(event_, notes, n)) { start(task_); }
    event event_;
    task<void> task_;
};

TEST(ReadyQueue, runs_at_once_without_a_runner) {
    std::vector<int> notes;
    waiting_task a(notes, 1);
    a.event_.set();
    EXPECT_EQ(notes, std::vector{1});
}

TEST(ReadyQueue, runs_in_order_when_its_runner_calls_run) {
    std::vector<int> notes;
    waiting_task a(notes, 1), b(notes, 2);
    ready_queue& queue = ready_queue::current();
    {
        ready_queue::runner runner(queue);
        b.event_.set();
        a.event_.set();
        EXPECT_TRUE(notes.empty());
        queue.run();
    }
    EXPECT_EQ(notes, (std::vector{2, 1}));
}

TEST(ReadyQueue, a_batch_runs_at_its_end_unless_a_runner_is_up_the_stack) {
    std::vector<int> notes;
    waiting_task a(notes, 1), b(notes, 2);
    {
        ready_queue::batch batch;
        a.event_.set();
        EXPECT_TRUE(notes.empty());
    }
    EXPECT_EQ(notes, std::vector{1});
    ready_queue::runner runner(ready_queue::current());
    {
        ready_queue::batch batch;
        b.event_.set();
    }
    EXPECT_EQ(notes, std::vector{1});
    ready_queue::current().run();
    EXPECT_EQ(notes, (std::vector{1, 2}));
}

TEST(ReadyQueue, a_destroyed_node_is_removed) {
    std::vector<int> notes;
    ready_queue::batch batch;
    {
        waiting_task a(notes, 1);
        a.event_.set();
        EXPECT_FALSE(ready_queue::current().empty());
    }
    EXPECT_TRUE(ready_queue::current().empty());
}

task<void> relay(event& from, event* to, int& nesting, int& deepest) {
    co_await from.wait();
    deepest = std::max(deepest, ++nesting);
    if (to) to->set();
    --nesting;
}

TEST(ReadyQueue, coroutines_woken_during_a_resumption_run_after_it) {
    constexpr int count = 10'000;
    std::vector<std::unique_ptr<event>> events;
    std::vector<task<void>> tasks;
    int nesting = 0, deepest = 0;
    for (int i = 0; i < count; ++i) events.push_back(std::make_unique<event>());
    for (int i = 0; i < count; ++i) {
        tasks.push_back(relay(*events[i], i + 1 < count ? events[i + 1].get() : nullptr, nesting, deepest));
        start(tasks.back());
    }
    events[0]->set();
    EXPECT_TRUE(tasks.back().done());
    EXPECT_EQ(deepest, 1);
}

}  // namespace
}  // namespace rondo
