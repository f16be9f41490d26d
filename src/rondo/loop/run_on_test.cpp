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
class elsewhere : public loop_thread {
public:
    elsewhere() : loop_thread({.name = "elsewhere"}) {}
};

task<std::thread::id> where() {
    co_await sleep(1ms);
    co_return std::this_thread::get_id();
}

task<int> failing() {
    co_await sleep(1ms);
    throw std::runtime_error("over there");
    co_return 0;
}

task<std::string> until_cancelled() {
    std::string how = "was not cancelled";
    try {
        co_await sleep(60s);
    } catch (const cancelled&) {
        how = "cleaned up";
    }
    co_return how;
}

task<bool> has_deadline() {
    const context* in = co_await this_context();
    co_return in->deadline != instant::max();
}

task<void> ask(elsewhere& there) {
    for (int i = 0; i < 50; ++i) {
        const std::thread::id id = co_await run_on(there.loop(), where());
        EXPECT_NE(id, std::this_thread::get_id());
    }
    bool thrown = false;
    try {
        (void)co_await run_on(there.loop(), failing());
    } catch (const std::runtime_error& e) {
        thrown = std::string(e.what()) == "over there";
    }
    EXPECT_TRUE(thrown);
}

task<std::string> cancel_there(elsewhere& there) { co_return co_await run_on(there.loop(), until_cancelled()); }

task<void> cancel_from_here(elsewhere& there) {
    for (int i = 0; i < 50; ++i) {
        const std::string how = co_await with_timeout(std::chrono::microseconds(i * 20), cancel_there(there));
        EXPECT_EQ(how, "cleaned up");
    }
}

task<bool> deadline_there(elsewhere& there) { co_return co_await run_on(there.loop(), has_deadline()); }

TEST(run_on, a_result_and_an_exception_come_back) {
    elsewhere there;
    event_loop loop;
    loop.run_until(ask(there));
}

TEST(run_on, a_cancellation_goes_there_and_the_end_is_awaited) {
    elsewhere there;
    event_loop loop;
    loop.run_until(cancel_from_here(there));
}

TEST(run_on, the_deadline_goes_there) {
    elsewhere there;
    event_loop loop;
    EXPECT_FALSE(loop.run_until(deadline_there(there)));
    context in;
    in.deadline = from_now(1h);
    EXPECT_TRUE(loop.run_until(deadline_there(there), &in));
}

TEST(run_on, a_thread_without_a_loop_waits) {
    elsewhere there;
    EXPECT_NE(run_on_and_wait(there.loop(), where()), std::this_thread::get_id());
    EXPECT_THROW(run_on_and_wait(there.loop(), failing()), std::runtime_error);
    EXPECT_EQ(run_on_and_wait(there.loop(), until_cancelled(), from_now(10ms)), "cleaned up");
}

TEST(run_on, a_thread_that_waits_works_for_somebody) {
    elsewhere there;
    context in;
    in.deadline = from_now(10ms);
    {
        const works_for whom(&in);
        EXPECT_EQ(run_on_and_wait(there.loop(), until_cancelled()), "cleaned up");
        EXPECT_THROW((void)run_on_and_wait(there.loop(), where()), cancelled) << "the deadline is over";
    }
    context left;
    const works_for whom(&left);
    std::thread other([&left] {
        std::this_thread::sleep_for(5ms);
        left.cancel.announce(cancel_reason::disconnected);
    });
    EXPECT_EQ(run_on_and_wait(there.loop(), until_cancelled()), "cleaned up");
    other.join();
    EXPECT_THROW((void)run_on_and_wait(there.loop(), where()), cancelled);
}

task<void> block_here(elsewhere& there) {
    EXPECT_THROW((void)run_on_and_wait(there.loop(), where()), synchronous_only);
    co_return;
}

TEST(run_on, a_loop_does_not_wait) {
    elsewhere there;
    event_loop loop;
    loop.run_until(block_here(there));
}

}  // namespace
}  // namespace rondo
