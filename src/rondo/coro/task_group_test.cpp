// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/task_group.hpp>

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/base/assertion.hpp>
#include <rondo/coro/live_objects_fixture.hpp>

namespace rondo {
namespace {

int bugs = 0;

class task_group_lives : public lives {
protected:
    void SetUp() override {
        lives::SetUp();
        bugs = 0;
        on_bug([](const char*) noexcept { ++bugs; });
    }
    void TearDown() override {
        on_bug(nullptr);
        lives::TearDown();
    }
};

task<void> join(task_group& g) { co_await g.join(); }

TEST_F(task_group_lives, runs_a_task_at_once_until_it_waits_and_join_waits_for_all) {
    event e, f;
    task_group g;
    g.spawn(pass(e));
    g.spawn(pass(f));
    g.spawn(set(e));
    EXPECT_EQ(counted::made, 2);
    EXPECT_EQ(g.size(), 1u);
    auto t = join(g);
    start(t);
    EXPECT_FALSE(t.done());
    f.set();
    EXPECT_TRUE(t.done());
    result(t);
    EXPECT_TRUE(g.empty());
}

TEST_F(task_group_lives, joining_nothing_returns_at_once) {
    task_group g;
    auto t = join(g);
    start(t);
    EXPECT_TRUE(t.done());
}

TEST_F(task_group_lives, the_first_failure_cancels_the_others_and_comes_out_of_join) {
    event e, f;
    std::string note;
    task_group g;
    g.spawn(note_end(f, note));
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

TEST_F(task_group_lives, a_failure_before_join_is_kept_for_it) {
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

TEST_F(task_group_lives, with_a_handler_a_failure_concerns_nobody_else) {
    struct log {
        std::vector<std::exception_ptr> failures;
        static void note(void* with, std::exception_ptr failure) noexcept {
            static_cast<log*>(with)->failures.push_back(std::move(failure));
        }
    } failed;
    event e, f;
    std::string note;
    task_group g(&log::note, &failed);
    g.spawn(note_end(f, note));
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

TEST_F(task_group_lives, cancel_reaches_later_tasks_too_and_is_no_failure) {
    event e;
    std::string first, second;
    task_group g;
    g.spawn(note_end(e, first));
    g.cancel(cancel_reason::drain);
    g.cancel(cancel_reason::deadline);
    g.spawn(note_end(e, second));
    EXPECT_EQ(first, "cancelled 4");
    EXPECT_EQ(second, "cancelled 4");
    auto t = join(g);
    start(t);
    EXPECT_NO_THROW(result(t));
}

TEST_F(task_group_lives, a_parent_cancels_it) {
    context parent;
    event e;
    std::string note;
    task_group g(&parent);
    g.spawn(note_end(e, note));
    parent.cancel.cancel(cancel_reason::deadline);
    EXPECT_EQ(note, "cancelled 3");
}

TEST_F(task_group_lives, cancelling_who_joins_cancels_it_and_join_still_waits_for_the_end) {
    context in;
    event e, f;
    std::string note;
    struct body {
        static task<void> slow(event& e, std::string& note, event& f) {
            try {
                co_await note_end(e, note);
            } catch (const cancelled&) {
            }
            auto cleanup = pass(f);
            cleanup.coroutine().promise().run_in(nullptr);
            co_await shielded(std::move(cleanup));
        }
        struct shield {
            task<void> t;
            bool await_ready() const noexcept { return false; }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<> who) noexcept {
                t.coroutine().promise().awaited_by(who);
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

TEST_F(task_group_lives, join_in_a_cancelled_context_cancels_and_waits) {
    context in;
    in.cancel.cancel(cancel_reason::drain);
    event e;
    std::string note;
    task_group g;
    g.spawn(note_end(e, note));
    auto t = join(g);
    start(t, &in);
    EXPECT_EQ(note, "cancelled 4");
    EXPECT_THROW(result(t), cancelled);
}

TEST_F(task_group_lives, a_task_may_run_in_a_context_of_its_own) {
    event e;
    std::string alone, with;
    task_group g;
    context own;
    child_context child(&g.group_context());
    g.spawn(note_end(e, alone), own);
    g.spawn(note_end(e, with), child);
    g.cancel();
    EXPECT_EQ(alone, "waiting");
    EXPECT_EQ(with, "cancelled 1");
    own.cancel.cancel(cancel_reason::deadline);
    EXPECT_EQ(alone, "cancelled 3");
    EXPECT_TRUE(g.empty());
}

TEST_F(task_group_lives, destroyed_with_work_inside_is_reported_and_the_work_destroyed) {
    event e;
    {
        task_group g;
        g.spawn(pass(e));
        g.spawn(pass(e));
        EXPECT_EQ(counted::alive, 2);
    }
    EXPECT_EQ(bugs, 1);
    EXPECT_EQ(counted::alive, 0);
    e.set();
}

task<void> spawn_and_join(event& e) {
    task_group g(co_await this_context());
    g.spawn(pass(e));
    g.spawn(pass(e));
    co_await g.join();
}

TEST_F(task_group_lives, destroyed_with_the_coroutine_that_joins_is_no_bug) {
    event e;
    {
        auto t = spawn_and_join(e);
        start(t);
        EXPECT_EQ(counted::alive, 2);
    }
    EXPECT_EQ(bugs, 0);
    EXPECT_EQ(counted::alive, 0);
}

TEST_F(task_group_lives, destroyed_after_the_coroutine_that_joined_is_no_bug) {
    event e;
    {
        task_group g;
        g.spawn(pass(e));
        {
            auto t = join(g);
            start(t);
        }
    }
    EXPECT_EQ(bugs, 0);
}

TEST_F(task_group_lives, destroyed_before_the_coroutine_that_joins) {
    event e;
    auto g = std::make_unique<task_group>();
    g->spawn(pass(e));
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

TEST_F(task_group_lives, may_be_destroyed_as_soon_as_it_is_joined) {
    event e, gone;
    auto g = std::make_unique<task_group>();
    g->spawn(pass(e));
    g->spawn(fail_after(e, "dropped"));
    auto t = destroy_group(gone, g);
    start(t);
    e.set();
    EXPECT_TRUE(t.done());
    EXPECT_EQ(bugs, 0);
    g.reset();

    g = std::make_unique<task_group>();
    event f;
    g->spawn(pass(f));
    auto u = destroy_group(gone, g);
    start(u);
    g->cancel();
    EXPECT_FALSE(g);
}

task<void> spawn_more(task_group& g, event& e, int depth) {
    counted held;
    if (depth > 0) g.spawn(spawn_more(g, e, depth - 1));
    co_await e.wait();
}

TEST_F(task_group_lives, tasks_may_spawn_tasks) {
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

TEST_F(task_group_lives, a_million_tasks_that_end_at_once) {
    task_group g;
    int n = 0;
    for (int i = 0; i < 1'000'000; ++i) g.spawn(count(n));
    EXPECT_EQ(n, 1'000'000);
    EXPECT_TRUE(g.empty());
}

TEST_F(task_group_lives, ends_in_any_order) {
    std::vector<std::unique_ptr<event>> events;
    task_group g;
    for (int i = 0; i < 100; ++i) {
        events.push_back(std::make_unique<event>());
        g.spawn(pass(*events.back()));
    }
    for (int i = 0; i < 100; ++i) {
        events[static_cast<std::size_t>(i * 37 % 100)]->set();
        EXPECT_EQ(g.size(), static_cast<std::size_t>(99 - i));
    }
}

task<void> body(task_group& g, event& e, bool throws) {
    g.spawn(pass(e));
    if (throws) throw std::runtime_error("body");
    co_return;
}

TEST_F(task_group_lives, with_group_joins_however_the_body_ends) {
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
    EXPECT_EQ(bugs, 0);
}

TEST_F(task_group_lives, with_group_gives_the_failure_of_a_task) {
    event e;
    auto t = with_group([&e](task_group& g) -> task<void> {
        g.spawn(fail_after(e, "task"));
        return pass(e);
    });
    start(t);
    e.set();
    EXPECT_THROW(result(t), std::runtime_error);
}

}  // namespace
}  // namespace rondo
