// SPDX-License-Identifier: Apache-2.0
#include <rondo/loop/run_on.hpp>

#include <stdexcept>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <rondo/coro/this_context.hpp>
#include <rondo/loop/loop_thread.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

/// A loop on another thread.
class remote_loop : public loop_thread {
public:
    remote_loop() : loop_thread({.name = "remote"}) {}
};

task<std::thread::id> current_thread_id() {
    co_await sleep(1ms);
    co_return std::this_thread::get_id();
}

task<int> failing() {
    co_await sleep(1ms);
    throw std::runtime_error("remote failure");
    co_return 0;
}

task<std::string> until_cancelled() {
    std::string outcome = "was not cancelled";
    try {
        co_await sleep(60s);
    } catch (const cancelled&) {
        outcome = "cleaned up";
    }
    co_return outcome;
}

task<bool> has_deadline() {
    const task_context* in = co_await this_context();
    co_return in->deadline != instant::max();
}

task<void> call_remote(remote_loop& remote) {
    for (int i = 0; i < 50; ++i) {
        const std::thread::id id = co_await run_on(remote.loop(), current_thread_id());
        EXPECT_NE(id, std::this_thread::get_id());
    }
    bool thrown = false;
    try {
        (void)co_await run_on(remote.loop(), failing());
    } catch (const std::runtime_error& e) {
        thrown = std::string(e.what()) == "remote failure";
    }
    EXPECT_TRUE(thrown);
}

task<std::string> run_until_cancelled(remote_loop& remote) {
    co_return co_await run_on(remote.loop(), until_cancelled());
}

task<void> cancel_remote_calls(remote_loop& remote) {
    for (int i = 0; i < 50; ++i) {
        const std::string outcome =
            co_await with_timeout(std::chrono::microseconds(i * 20), run_until_cancelled(remote));
        EXPECT_EQ(outcome, "cleaned up");
    }
}

task<bool> remote_has_deadline(remote_loop& remote) { co_return co_await run_on(remote.loop(), has_deadline()); }

TEST(RunOn, returns_the_result_and_rethrows_the_exception) {
    remote_loop remote;
    event_loop loop;
    loop.run_until(call_remote(remote));
}

TEST(RunOn, cancels_the_remote_task_and_awaits_its_end) {
    remote_loop remote;
    event_loop loop;
    loop.run_until(cancel_remote_calls(remote));
}

TEST(RunOn, passes_the_deadline_to_the_remote_task) {
    remote_loop remote;
    event_loop loop;
    EXPECT_FALSE(loop.run_until(remote_has_deadline(remote)));
    task_context in;
    in.deadline = from_now(1h);
    EXPECT_TRUE(loop.run_until(remote_has_deadline(remote), &in));
}

TEST(RunOn, blocks_a_thread_without_a_loop) {
    remote_loop remote;
    EXPECT_NE(run_on_and_wait(remote.loop(), current_thread_id()), std::this_thread::get_id());
    EXPECT_THROW(run_on_and_wait(remote.loop(), failing()), std::runtime_error);
    EXPECT_EQ(run_on_and_wait(remote.loop(), until_cancelled(), from_now(10ms)), "cleaned up");
}

TEST(RunOn, a_blocked_thread_is_bound_by_its_blocking_scope) {
    remote_loop remote;
    task_context in;
    in.deadline = from_now(10ms);
    {
        const blocking_scope scope(&in);
        EXPECT_EQ(run_on_and_wait(remote.loop(), until_cancelled()), "cleaned up");
        EXPECT_THROW((void)run_on_and_wait(remote.loop(), current_thread_id()), cancelled) << "the deadline has passed";
    }
    task_context disconnected;
    const blocking_scope scope(&disconnected);
    std::thread other([&disconnected] {
        std::this_thread::sleep_for(5ms);
        disconnected.cancel.request(cancel_reason::disconnected);
    });
    EXPECT_EQ(run_on_and_wait(remote.loop(), until_cancelled()), "cleaned up");
    other.join();
    EXPECT_THROW((void)run_on_and_wait(remote.loop(), current_thread_id()), cancelled);
}

task<void> block_on_loop(remote_loop& remote) {
    EXPECT_THROW((void)run_on_and_wait(remote.loop(), current_thread_id()), synchronous_only);
    co_return;
}

TEST(RunOn, refuses_to_block_a_loop_thread) {
    remote_loop remote;
    event_loop loop;
    loop.run_until(block_on_loop(remote));
}

}  // namespace
}  // namespace rondo
