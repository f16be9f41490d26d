// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/statement_latency.hpp>

#include <gtest/gtest.h>

namespace rondo::db::postgres {
namespace {

using namespace std::chrono_literals;

TEST(StatementLatency, fast_statements_share_connections) {
    statement_latency s;
    EXPECT_EQ(s.concurrency_for(1), 0U);
    s.record(1, 5ms);
    EXPECT_EQ(s.concurrency_for(1), 0U);
    s.record(1, 50us);
    EXPECT_EQ(s.concurrency_for(1), 4U);
    s.record(1, 5ms);  // a single slow run does not count
    EXPECT_EQ(s.concurrency_for(1), 4U);
    for (int i = 0; i < 200; ++i) s.record(1, 5ms);
    EXPECT_EQ(s.concurrency_for(1), 0U);
    s.record(2, 200us);
    EXPECT_EQ(s.concurrency_for(2), 8U);
    s.record(2 + 512, 1s);  // the same slot
    EXPECT_EQ(s.concurrency_for(2), 0U);
}

}  // namespace
}  // namespace rondo::db::postgres
