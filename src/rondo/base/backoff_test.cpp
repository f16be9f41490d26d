// SPDX-License-Identifier: Apache-2.0
#include <rondo/base/backoff.hpp>

#include <gtest/gtest.h>

namespace rondo {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, doubles_up_to_the_longest_pause) {
    constexpr backoff retry{50ms, 2s};
    EXPECT_EQ(retry.after(0), 0ms);
    EXPECT_EQ(retry.after(1), 50ms);
    EXPECT_EQ(retry.after(2), 100ms);
    EXPECT_EQ(retry.after(6), 1600ms);
    EXPECT_EQ(retry.after(7), 2s);
    EXPECT_EQ(retry.after(1'000'000), 2s);
}

}  // namespace
}  // namespace rondo
