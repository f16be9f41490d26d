// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sys/resource.h>

#include <rondo/coro/task_group.hpp>
#include <rondo/loop/thread_pool.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

// Blocks a thread of a pool until opened.
struct gate {
    std::binary_semaphore entered{0};
    std::binary_semaphore open{0};
    void pass() {
        entered.release();
        open.acquire();
    }
};

struct ThreadPool : ::testing::Test {
    event_loop loop;
    ~ThreadPool() override { EXPECT_TRUE(loop.activity().current_context() == nullptr); }
};

TEST_F(ThreadPool, returns_results_on_the_loop) {
    thread_pool pool({.threads = 2});
    loop.run_until([](thread_pool& p) -> task<> {
        auto loop_thread = std::this_thread::get_id();
        auto pool_thread = co_await p.run([] { return std::this_thread::get_id(); });
        EXPECT_NE(loop_thread, pool_thread);
        EXPECT_EQ(std::this_thread::get_id(), loop_thread);
        auto move_only = [x = std::make_unique<int>(5)]() mutable { return std::move(x); };
        auto owned = co_await p.run(std::move(move_only));
        EXPECT_EQ(*owned, 5);
        int n = 0;
        co_await p.run([&n] { n = 1; });
        EXPECT_EQ(n, 1);
        std::string text = co_await p.run([] { return std::string(1000, 'x'); });
        EXPECT_EQ(text.size(), 1000u);
    }(pool));
}

TEST_F(ThreadPool, rethrows_exceptions) {
    thread_pool pool({});
    loop.run_until([](thread_pool& p) -> task<> {
        try {
            co_await p.run([]() -> int { throw std::out_of_range("far"); });
            ADD_FAILURE();
        } catch (const std::out_of_range& e) {
            EXPECT_STREQ(e.what(), "far");
        }
        EXPECT_EQ(co_await p.run([] { return 1; }), 1);
    }(pool));
}

TEST_F(ThreadPool, starts_threads_when_needed) {
    thread_pool pool({.threads = 3});
    EXPECT_EQ(pool.threads(), 0u);
    loop.run_until([](thread_pool& p) -> task<> {
        for (int i = 0; i < 5; ++i) {
            co_await p.run([] {});
            // If the thread has not returned to the queue yet, a second one is started.
        }
        EXPECT_GE(p.threads(), 1u);
        EXPECT_LE(p.threads(), 3u);
        task_group group(co_await this_context());
        std::latch together(3);
        for (int i = 0; i < 3; ++i)
            group.spawn([](thread_pool& pool, std::latch& l) -> task<> {
                co_await pool.run([&l] { l.arrive_and_wait(); });
            }(p, together));
        co_await group.join();
        EXPECT_EQ(p.threads(), 3u);
        EXPECT_EQ(p.waiting(), 0u);
    }(pool));
}

TEST_F(ThreadPool, names_its_threads_and_lowers_their_priority) {
    thread_pool pool({.name = "a-very-long-name-of-a-pool", .nice = 5});
    int before = getpriority(PRIO_PROCESS, 0);
    loop.run_until([](thread_pool& p, int mine) -> task<> {
        auto name = co_await p.run([] {
            char buffer[32] = {};
            pthread_getname_np(pthread_self(), buffer, sizeof buffer);
            return std::string(buffer);
        });
        EXPECT_EQ(name, "a-very-long-nam");
        EXPECT_EQ(co_await p.run([] { return getpriority(PRIO_PROCESS, 0); }), std::min(mine + 5, 19));
    }(pool, before));
    EXPECT_EQ(getpriority(PRIO_PROCESS, 0), before);
}

TEST_F(ThreadPool, removes_a_queued_job) {
    struct noting final : thread_pool::job {
        void run_on_thread() noexcept override { ran.release(); }
        std::binary_semaphore ran{0};
    };
    thread_pool pool({.threads = 1});
    gate g;
    noting first, second, third;
    loop.run_until([](thread_pool& p, gate& gate, noting& a, noting& b, noting& c) -> task<> {
        task_group group(co_await this_context());
        struct jobs {
            static task<> block(thread_pool& pool, struct gate& blocker) {
                co_await pool.run([&blocker] { blocker.pass(); });
            }
        };
        group.spawn(jobs::block(p, gate));
        gate.entered.acquire();
        p.submit(a);
        p.submit(b);
        p.submit(c);
        EXPECT_TRUE(p.remove(b));
        EXPECT_FALSE(p.remove(b));
        EXPECT_TRUE(p.remove(c));
        p.submit(c);
        EXPECT_EQ(p.waiting(), 2u);
        gate.open.release();
        co_await group.join();
    }(pool, g, first, second, third));
    first.ran.acquire();
    third.ran.acquire();
    EXPECT_FALSE(second.ran.try_acquire());
    EXPECT_FALSE(pool.remove(first));
}

TEST_F(ThreadPool, reports_how_long_all_threads_have_been_busy) {
    thread_pool pool({.threads = 2});
    const instant later = clock::now() + 1h;
    EXPECT_EQ(pool.busy_for(later), 0ns);
    gate first, second;
    loop.run_until([](thread_pool& p, gate& one, gate& other, instant an_hour_on) -> task<> {
        task_group group(co_await this_context());
        struct jobs {
            static task<> block(thread_pool& pool, gate& blocker) {
                co_await pool.run([&blocker] { blocker.pass(); });
            }
        };
        group.spawn(jobs::block(p, one));
        one.entered.acquire();
        EXPECT_EQ(p.busy_for(an_hour_on), 0ns);  // one thread is free
        group.spawn(jobs::block(p, other));
        other.entered.acquire();
        EXPECT_GT(p.busy_for(an_hour_on), 50min);
        EXPECT_EQ(p.busy_for(an_hour_on - 2h), 0ns);
        one.open.release();
        other.open.release();
        co_await group.join();
    }(pool, first, second, later));
}

TEST_F(ThreadPool, wakes_as_many_threads_as_there_are_jobs) {
    thread_pool pool({.threads = 4});
    for (int round = 0; round < 20; ++round) {
        loop.run_until([](thread_pool& p) -> task<> {
            task_group group(co_await this_context());
            std::latch together(4);  // returns once all four jobs have started
            struct jobs {
                static task<> meet(thread_pool& pool, std::latch& l) {
                    co_await pool.run([&l] { l.arrive_and_wait(); });
                }
            };
            for (int i = 0; i < 4; ++i) group.spawn(jobs::meet(p, together));
            co_await group.join();
        }(pool));
    }
    EXPECT_EQ(pool.threads(), 4u);
}

TEST_F(ThreadPool, without_a_pool_work_runs_on_the_loop_thread) {
    loop.run_until([](event_loop& l) -> task<> {
        const auto loop_thread = std::this_thread::get_id();
        const auto job_thread = co_await run_blocking([] {
            EXPECT_TRUE(blocking_allowed());
            EXPECT_EQ(event_loop::current_or_null(), nullptr);
            event_loop inner;  // even this is allowed
            inner.run_until([]() -> task<> { co_await sleep(1ms); }());
            return std::this_thread::get_id();
        });
        EXPECT_EQ(loop_thread, job_thread);
        EXPECT_EQ(&event_loop::current(), &l);
        EXPECT_FALSE(blocking_allowed());
        try {
            co_await run_compute([]() -> int { throw std::out_of_range("far"); });
            ADD_FAILURE();
        } catch (const std::out_of_range&) {
        }
        co_await sleep(1ms);
    }(loop));
}

TEST_F(ThreadPool, refuses_jobs_when_the_queue_is_full) {
    thread_pool pool({.name = "compute", .threads = 1, .queue = 2});
    gate g;
    loop.run_until([](thread_pool& p, gate& gate) -> task<> {
        task_group group(co_await this_context());
        struct jobs {
            static task<> block(thread_pool& pool, struct gate& blocker) {
                co_await pool.run([&blocker] { blocker.pass(); });
            }
            static task<> nothing(thread_pool& pool) {
                co_await pool.run([] {});
            }
        };
        // One running and two queued jobs, even before the thread has started.
        group.spawn(jobs::block(p, gate));
        group.spawn(jobs::nothing(p));
        group.spawn(jobs::nothing(p));
        EXPECT_EQ(group.size(), 3u);
        try {
            co_await p.run([] { ADD_FAILURE(); });
            ADD_FAILURE();
        } catch (const pool_full& e) {
            EXPECT_GE(e.retry_after(), 1s);
            EXPECT_NE(std::string(e.what()).find("compute"), std::string::npos);
        }
        gate.entered.acquire();
        EXPECT_EQ(p.running(), 1u);
        EXPECT_EQ(p.waiting(), 2u);
        gate.open.release();
        co_await group.join();
        co_await p.run([] {});
    }(pool, g));
}

TEST_F(ThreadPool, refuses_jobs_that_would_start_after_their_deadline) {
    thread_pool pool({.threads = 1});
    gate g;
    task_context hurried;
    loop.run_until([](thread_pool& p) -> task<> {
        for (int i = 0; i < 3; ++i) co_await p.run([] { std::this_thread::sleep_for(20ms); });
    }(pool));
    loop.run_until([](thread_pool& p, gate& gate, task_context& hurry) -> task<> {
        task_group group(co_await this_context());
        struct jobs {
            static task<> block(thread_pool& pool, struct gate& blocker) {
                co_await pool.run([&blocker] { blocker.pass(); });
            }
            static task<> refused(thread_pool& pool, bool& thrown) {
                try {
                    co_await pool.run([] { ADD_FAILURE(); });
                } catch (const pool_full&) {
                    thrown = true;
                }
            }
            static task<> accepted(thread_pool& pool, bool& ran) {
                co_await pool.run([&ran] { ran = true; });
            }
        };
        // While a thread is free, the deadline does not matter.
        bool ran = false;
        bool refused = false;
        hurry.deadline = from_now(1ms);
        while (p.running()) std::this_thread::yield();
        group.spawn(jobs::accepted(p, ran), hurry);
        co_await group.join();
        EXPECT_TRUE(ran);
        while (p.running()) std::this_thread::yield();
        group.spawn(jobs::block(p, gate));
        gate.entered.acquire();
        hurry.deadline = from_now(1ms);
        group.spawn(jobs::refused(p, refused), hurry);
        EXPECT_TRUE(refused);
        hurry.deadline = from_now(1h);
        ran = false;
        group.spawn(jobs::accepted(p, ran), hurry);
        gate.open.release();
        co_await group.join();
        EXPECT_TRUE(ran);
    }(pool, g, hurried));
}

TEST_F(ThreadPool, does_not_start_a_cancelled_job) {
    thread_pool pool({.threads = 1});
    gate g;
    loop.run_until([](thread_pool& p, gate& gate) -> task<> {
        task_group running(co_await this_context());
        task_group waiting(co_await this_context());
        struct jobs {
            static task<> block(thread_pool& pool, struct gate& blocker, bool& done) {
                done = co_await pool.run([&blocker] {
                    blocker.pass();
                    return true;
                });
            }
            static task<> never(thread_pool& pool, bool& was_cancelled) {
                try {
                    co_await pool.run([] { ADD_FAILURE(); });
                } catch (const cancelled&) {
                    was_cancelled = true;
                    throw;
                }
            }
        };
        bool done = false;
        bool first = false;
        bool second = false;
        running.spawn(jobs::block(p, gate, done));
        waiting.spawn(jobs::never(p, first));
        gate.entered.acquire();
        running.cancel();
        waiting.cancel();
        EXPECT_FALSE(first);  // still waits: its frame is in the queue
        waiting.spawn(jobs::never(p, second));
        EXPECT_TRUE(second);  // a job that is cancelled before is not queued
        gate.open.release();
        co_await running.join();
        EXPECT_TRUE(done) << "a started job returns its result";
        co_await waiting.join();
        EXPECT_TRUE(first);
    }(pool, g));
}

TEST_F(ThreadPool, runs_many_jobs_of_many_coroutines) {
    thread_pool pool({.threads = 4, .queue = 10'000});
    std::atomic<int> count{0};
    loop.run_until([](thread_pool& p, std::atomic<int>& n) -> task<> {
        task_group group(co_await this_context());
        for (int i = 0; i < 500; ++i)
            group.spawn([](thread_pool& pool, std::atomic<int>& c) -> task<> {
                for (int k = 0; k < 10; ++k) co_await pool.run([&c] { ++c; });
            }(p, n));
        co_await group.join();
    }(pool, count));
    EXPECT_EQ(count, 5000);
    EXPECT_EQ(pool.waiting(), 0u);
}

TEST_F(ThreadPool, run_blocking_and_run_compute_use_the_pools_of_the_loop) {
    thread_pool blocking({.name = "blocking"});
    thread_pool compute({.name = "compute"});
    loop.use_pools(&blocking, &compute);
    loop.run_until([]() -> task<> {
        struct here {
            static std::string name() {
                char buffer[32] = {};
                pthread_getname_np(pthread_self(), buffer, sizeof buffer);
                return buffer;
            }
        };
        EXPECT_EQ(co_await run_blocking(here::name), "blocking");
        EXPECT_EQ(co_await run_compute(here::name), "compute");
    }());
}

TEST_F(ThreadPool, the_destructor_waits_for_running_jobs_only) {
    std::atomic<bool> finished{false};
    struct slow final : thread_pool::job {
        std::atomic<bool>* started = nullptr;
        std::atomic<bool>* done = nullptr;
        void run_on_thread() noexcept override {
            *started = true;
            started->notify_one();
            std::this_thread::sleep_for(30ms);
            *done = true;
        }
    } j;
    std::atomic<bool> started{false};
    j.started = &started;
    j.done = &finished;
    struct waiting_job final : thread_pool::job {
        std::atomic<bool> ran{false};
        void run_on_thread() noexcept override { ran = true; }
    } never;
    {
        thread_pool pool({.threads = 1});
        pool.submit(j);
        started.wait(false);
        pool.submit(never);
    }
    EXPECT_TRUE(finished);
    EXPECT_FALSE(never.ran);
}

}  // namespace
}  // namespace rondo
