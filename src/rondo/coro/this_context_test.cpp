// SPDX-License-Identifier: Apache-2.0
#include <rondo/coro/this_context.hpp>

#include <gtest/gtest.h>

#include <rondo/coro/live_objects_fixture.hpp>

namespace rondo {
namespace {

task<task_context*> own_context() { co_return co_await this_context(); }

task<int> check_twice(task_context* to_cancel) {
    co_await checkpoint();
    if (to_cancel) to_cancel->cancel.cancel(cancel_reason::deadline);
    co_await checkpoint();
    co_return 1;
}

TEST(ThisContext, is_the_context_of_the_awaiting_coroutine) {
    task_context in;
    auto a = own_context(), b = own_context();
    start(a, &in);
    start(b);
    EXPECT_EQ(result(a), &in);
    EXPECT_EQ(result(b), nullptr);
}

TEST(Checkpoint, throws_once_the_context_is_cancelled) {
    task_context in;
    auto a = check_twice(&in), b = check_twice(nullptr), c = check_twice(nullptr);
    start(a, &in);
    start(b);
    EXPECT_THROW(result(a), cancelled);
    EXPECT_EQ(result(b), 1);
    start(c, &in);
    EXPECT_THROW(result(c), cancelled);
}

}  // namespace
}  // namespace rondo
