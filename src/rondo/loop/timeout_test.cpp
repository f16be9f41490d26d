// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>

#include <rondo/loop/timeout.hpp>

namespace rondo {
namespace {

using namespace std::chrono_literals;

task<int> value_after(event_loop& l, clock::duration d, int value) {
    co_await l.sleep(d);
    co_return value;
}

task<> cleans_up(event_loop& l, bool& cleaned) {
    try {
        co_await l.sleep(1h);
    } catch (const cancelled& c) {
        EXPECT_EQ(c.reason, cancel_reason::deadline);
        cleaned = true;
        throw;
    }
}

struct WithTimeout : ::testing::Test {
    event_loop loop;
};

TEST_F(WithTimeout, returns_the_result_in_time) {
    EXPECT_EQ(loop.run_until(with_timeout(1h, value_after(loop, 1ms, 3))), 3);
    EXPECT_EQ(loop.run_until(with_timeout(clock::duration::max(), value_after(loop, 1ms, 4))), 4);
    auto p =
        loop.run_until(with_timeout(1h, []() -> task<std::unique_ptr<int>> { co_return std::make_unique<int>(5); }()));
    EXPECT_EQ(*p, 5);
}

TEST_F(WithTimeout, throws_when_the_time_has_expired_and_the_task_has_cleaned_up) {
    bool cleaned = false;
    instant start = clock::now();
    EXPECT_THROW(loop.run_until(with_timeout(10ms, cleans_up(loop, cleaned))), timed_out);
    EXPECT_TRUE(cleaned);
    EXPECT_GE(clock::now() - start, 10ms);
}

TEST_F(WithTimeout, rethrows_other_exceptions) {
    EXPECT_THROW(loop.run_until(with_timeout(1h,
                                             [](event_loop& l) -> task<> {
                                                 co_await l.sleep(1ms);
                                                 throw std::out_of_range("x");
                                             }(loop))),
                 std::out_of_range);
}

TEST_F(WithTimeout, returns_a_result_that_arrives_after_the_timeout) {
    EXPECT_EQ(loop.run_until(with_timeout(5ms,
                                          [](event_loop& l) -> task<int> {
                                              try {
                                                  co_await l.sleep(1h);
                                              } catch (const cancelled&) {
                                              }
                                              co_return 9;
                                          }(loop))),
              9);
}

TEST_F(WithTimeout, rethrows_a_cancellation_from_outside) {
    task_context c;
    struct ender : timer {
        explicit ender(task_context& target)
            : timer([](timer& t) noexcept { static_cast<ender&>(t).in.cancel.cancel(cancel_reason::disconnected); }),
              in(target) {}
        task_context& in;
    } end(c);
    loop.timers().arm(end, from_now(5ms));
    try {
        loop.run_until(with_timeout(1h, value_after(loop, 1h, 1)), &c);
        ADD_FAILURE();
    } catch (const cancelled& e) {
        EXPECT_EQ(e.reason, cancel_reason::disconnected);
    }
}

TEST_F(WithTimeout, the_earlier_of_two_timeouts_applies) {
    EXPECT_THROW(loop.run_until(with_timeout(1h, with_timeout(5ms, value_after(loop, 1h, 1)))), timed_out);
    instant start = clock::now();
    EXPECT_THROW(loop.run_until(with_timeout(5ms, with_timeout(1h, value_after(loop, 1h, 1)))), timed_out);
    EXPECT_LT(clock::now() - start, 10s);
}

TEST_F(WithTimeout, passes_its_deadline_on) {
    task_context c;
    c.name = "outer";
    loop.run_until(with_timeout(1h,
                                []() -> task<> {
                                    task_context* in = co_await this_context();
                                    EXPECT_LE(in->deadline, from_now(1h));
                                    EXPECT_EQ(in->name, "outer");
                                }()),
                   &c);
    c.deadline = from_now(1min);
    loop.run_until(
        with_timeout(
            1h, [](instant outer) -> task<> { EXPECT_EQ((co_await this_context())->deadline, outer); }(c.deadline)),
        &c);
}

TEST_F(WithTimeout, may_be_destroyed_while_waiting) {
    {
        auto t = with_timeout(1ms, value_after(loop, 1h, 1));
        loop.run_until([](task<int>& waiting) -> task<> {
            waiting.coroutine().resume();
            co_return;
        }(t));
    }
    loop.run_until(value_after(loop, 5ms, 1));
}

}  // namespace
}  // namespace rondo
