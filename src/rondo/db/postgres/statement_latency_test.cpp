// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/statement_latency.hpp>

#include <gtest/gtest.h>

namespace rondo::db::postgres {
namespace {

using namespace std::chrono_literals;

TEST(StatementLatency, fast_statements_share_connections) {
    speeds s;
    EXPECT_EQ(s.lanes(1), 0U);
    s.add(1, 5ms);
    EXPECT_EQ(s.lanes(1), 0U);
    s.add(1, 50us);
    EXPECT_EQ(s.lanes(1), 4U);
    s.add(1, 5ms);  // a single slow run does not count
    EXPECT_EQ(s.lanes(1), 4U);
    for (int i = 0; i < 200; ++i) s.add(1, 5ms);
    EXPECT_EQ(s.lanes(1), 0U);
    s.add(2, 200us);
    EXPECT_EQ(s.lanes(2), 8U);
    s.add(2 + 512, 1s);  // the same slot
    EXPECT_EQ(s.lanes(2), 0U);
}

}  // namespace
}  // namespace rondo::db::postgres
