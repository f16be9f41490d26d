// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/task_group.hpp>

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/base/bug_report.hpp>
#include <rondo/coro/live_objects_fixture.hpp>

namespace rondo {
namespace {

int reported_bugs = 0;

class TaskGroup : public LiveObjects {
protected:
    void SetUp() override {
        LiveObjects::SetUp();
        reported_bugs = 0;
        set_bug_handler([](const char*) noexcept { ++reported_bugs; });
    }
    void TearDown() override {
        set_bug_handler(nullptr);
        LiveObjects::TearDown();
    }
};

task<void> join(task_group& g) { co_await g.join(); }

TEST_F(TaskGroup, spawn_runs_a_task_until_it_waits_and_join_waits_for_all) {
    event e, f;
    task_group g;
    g.spawn(await_event(e));
    g.spawn(await_event(f));
    g.spawn(set_event(e));
    EXPECT_EQ(counted::constructed, 2);
    EXPECT_EQ(g.size(), 1u);
    auto t = join(g);
    start(t);
    EXPECT_FALSE(t.done());
    f.set();
    EXPECT_TRUE(t.done());
    result(t);
    EXPECT_TRUE(g.empty());
}

TEST_F(TaskGroup, joining_an_empty_group_returns_immediately) {
    task_group g;
    auto t = join(g);
    start(t);
    EXPECT_TRUE(t.done());
}

TEST_F(TaskGroup, the_first_failure_cancels_the_others_and_is_thrown_by_join) {
    event e, f;
    std::string note;
    task_group g;
    g.spawn(record_outcome(f, note));
    g.spawn(fail_after(e, "first"));
    auto t = join(g);
    start(t);
    e.set();
    EXPECT_EQ(note, "cancelled 1");
    ASSERT_TRUE(t.done());
    try {
        result(t);
        FAIL();
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "first");
    }
}

TEST_F(TaskGroup, a_failure_before_join_is_thrown_by_join) {
    event e(true);
    task_group g;
    g.spawn(fail_after(e, "early"));
    EXPECT_TRUE(g.empty());
    auto t = join(g);
    start(t);
    EXPECT_THROW(result(t), std::runtime_error);
    auto again = join(g);
    start(again);
    EXPECT_NO_THROW(result(again));
}

TEST_F(TaskGroup, with_a_handler_a_failure_does_not_affect_other_tasks) {
    struct log {
        std::vector<std::exception_ptr> failures;
        static void note(void* data, std::exception_ptr failure) noexcept {
            static_cast<log*>(data)->failures.push_back(std::move(failure));
        }
    } failed;
    event e, f;
    std::string note;
    task_group g(&log::note, &failed);
    g.spawn(record_outcome(f, note));
    g.spawn(fail_after(e, "one"));
    g.spawn(fail_after(e, "two"));
    e.set();
    EXPECT_EQ(failed.failures.size(), 2u);
    EXPECT_EQ(note, "waiting");
    g.cancel(cancel_reason::drain);
    EXPECT_EQ(note, "cancelled 4");
    EXPECT_EQ(failed.failures.size(), 2u);
    auto t = join(g);
    start(t);
    EXPECT_NO_THROW(result(t));
}

TEST_F(TaskGroup, cancel_also_cancels_later_tasks_and_is_not_a_failure) {
    event e;
    std::string first, second;
    task_group g;
    g.spawn(record_outcome(e, first));
    g.cancel(cancel_reason::drain);
    g.cancel(cancel_reason::deadline);
    g.spawn(record_outcome(e, second));
    EXPECT_EQ(first, "cancelled 4");
    EXPECT_EQ(second, "cancelled 4");
    auto t = join(g);
    start(t);
    EXPECT_NO_THROW(result(t));
}

TEST_F(TaskGroup, is_cancelled_by_its_parent) {
    task_context parent;
    event e;
    std::string note;
    task_group g(&parent);
    g.spawn(record_outcome(e, note));
    parent.cancel.cancel(cancel_reason::deadline);
    EXPECT_EQ(note, "cancelled 3");
}

TEST_F(TaskGroup, cancelling_the_joining_coroutine_cancels_the_group_and_join_waits_for_the_tasks) {
    task_context in;
    event e, f;
    std::string note;
    struct body {
        static task<void> slow(event& e, std::string& note, event& f) {
            try {
                co_await record_outcome(e, note);
            } catch (const cancelled&) {
            }
            auto cleanup = await_event(f);
            cleanup.coroutine().promise().set_context(nullptr);
            co_await shielded(std::move(cleanup));
        }
        struct shield {
            task<void> t;
            bool await_ready() const noexcept { return false; }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
                t.coroutine().promise().set_continuation(awaiting);
                return t.coroutine();
            }
            void await_resume() {}
        };
        static shield shielded(task<void> t) { return {std::move(t)}; }
    };
    task_group g;
    g.spawn(body::slow(e, note, f));
    auto t = join(g);
    start(t, &in);
    in.cancel.cancel(cancel_reason::disconnected);
    EXPECT_EQ(note, "cancelled 2");
    EXPECT_FALSE(t.done());
    f.set();
    EXPECT_THROW(result(t), cancelled);
}

TEST_F(TaskGroup, join_in_a_cancelled_context_cancels_and_waits) {
    task_context in;
    in.cancel.cancel(cancel_reason::drain);
    event e;
    std::string note;
    task_group g;
    g.spawn(record_outcome(e, note));
    auto t = join(g);
    start(t, &in);
    EXPECT_EQ(note, "cancelled 4");
    EXPECT_THROW(result(t), cancelled);
}

TEST_F(TaskGroup, a_task_may_run_in_a_separate_context) {
    event e;
    std::string separate, in_group;
    task_group g;
    task_context own;
    child_context child(&g.group_context());
    g.spawn(record_outcome(e, separate), own);
    g.spawn(record_outcome(e, in_group), child);
    g.cancel();
    EXPECT_EQ(separate, "waiting");
    EXPECT_EQ(in_group, "cancelled 1");
    own.cancel.cancel(cancel_reason::deadline);
    EXPECT_EQ(separate, "cancelled 3");
    EXPECT_TRUE(g.empty());
}

TEST_F(TaskGroup, destroying_a_group_with_tasks_is_reported_and_destroys_the_tasks) {
    event e;
    {
        task_group g;
        g.spawn(await_event(e));
        g.spawn(await_event(e));
        EXPECT_EQ(counted::alive, 2);
    }
    EXPECT_EQ(reported_bugs, 1);
    EXPECT_EQ(counted::alive, 0);
    e.set();
}

task<void> spawn_and_join(event& e) {
    task_group g(co_await this_context());
    g.spawn(await_event(e));
    g.spawn(await_event(e));
    co_await g.join();
}

TEST_F(TaskGroup, may_be_destroyed_with_the_joining_coroutine) {
    event e;
    {
        auto t = spawn_and_join(e);
        start(t);
        EXPECT_EQ(counted::alive, 2);
    }
    EXPECT_EQ(reported_bugs, 0);
    EXPECT_EQ(counted::alive, 0);
}

TEST_F(TaskGroup, may_be_destroyed_after_the_joining_coroutine) {
    event e;
    {
        task_group g;
        g.spawn(await_event(e));
        {
            auto t = join(g);
            start(t);
        }
    }
    EXPECT_EQ(reported_bugs, 0);
}

TEST_F(TaskGroup, may_be_destroyed_before_the_joining_coroutine) {
    event e;
    auto g = std::make_unique<task_group>();
    g->spawn(await_event(e));
    auto t = join(*g);
    start(t);
    g.reset();
    EXPECT_EQ(counted::alive, 0);
}

task<void> destroy_group(event& e, std::unique_ptr<task_group>& g) {
    co_await g->join();
    g.reset();
    e.set();
}

TEST_F(TaskGroup, may_be_destroyed_as_soon_as_join_returns) {
    event e, destroyed;
    auto g = std::make_unique<task_group>();
    g->spawn(await_event(e));
    g->spawn(fail_after(e, "dropped"));
    auto t = destroy_group(destroyed, g);
    start(t);
    e.set();
    EXPECT_TRUE(t.done());
    EXPECT_EQ(reported_bugs, 0);
    g.reset();

    g = std::make_unique<task_group>();
    event f;
    g->spawn(await_event(f));
    auto u = destroy_group(destroyed, g);
    start(u);
    g->cancel();
    EXPECT_FALSE(g);
}

task<void> spawn_more(task_group& g, event& e, int depth) {
    counted held;
    if (depth > 0) g.spawn(spawn_more(g, e, depth - 1));
    co_await e.wait();
}

TEST_F(TaskGroup, tasks_may_spawn_tasks) {
    event e;
    task_group g;
    g.spawn(spawn_more(g, e, 9));
    EXPECT_EQ(g.size(), 10u);
    auto t = join(g);
    start(t);
    e.set();
    EXPECT_TRUE(t.done());
}

task<void> count(int& n) {
    ++n;
    co_return;
}

TEST_F(TaskGroup, spawns_a_million_tasks_that_end_immediately) {
    task_group g;
    int n = 0;
    for (int i = 0; i < 1'000'000; ++i) g.spawn(count(n));
    EXPECT_EQ(n, 1'000'000);
    EXPECT_TRUE(g.empty());
}

TEST_F(TaskGroup, tasks_may_end_in_any_order) {
    std::vector<std::unique_ptr<event>> events;
    task_group g;
    for (int i = 0; i < 100; ++i) {
        events.push_back(std::make_unique<event>());
        g.spawn(await_event(*events.back()));
    }
    for (int i = 0; i < 100; ++i) {
        events[static_cast<std::size_t>(i * 37 % 100)]->set();
        EXPECT_EQ(g.size(), static_cast<std::size_t>(99 - i));
    }
}

task<void> body(task_group& g, event& e, bool throws) {
    g.spawn(await_event(e));
    if (throws) throw std::runtime_error("body");
    co_return;
}

TEST_F(TaskGroup, with_group_joins_when_the_body_returns_and_when_it_throws) {
    event e;
    auto t = with_group([](task_group& g, event* on) { return body(g, *on, false); }, &e);
    start(t);
    EXPECT_FALSE(t.done());
    e.set();
    EXPECT_TRUE(t.done());

    event never;
    auto u = with_group([&never](task_group& g) { return body(g, never, true); });
    start(u);
    EXPECT_THROW(result(u), std::runtime_error);
    EXPECT_EQ(reported_bugs, 0);
}

TEST_F(TaskGroup, with_group_throws_the_failure_of_a_task) {
    event e;
    auto t = with_group([&e](task_group& g) -> task<void> {
        g.spawn(fail_after(e, "task"));
        return await_event(e);
    });
    start(t);
    e.set();
    EXPECT_THROW(result(t), std::runtime_error);
}

}  // namespace
}  // namespace rondo
