// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <rondo/base/clock.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/db/databases_fixture.hpp>
#include <rondo/stats/stats_source_fixture.hpp>

namespace rondo::db {
namespace {

using namespace std::chrono_literals;

class database_figures : public every_database {};
INSTANTIATE_TEST_SUITE_P(databases, database_figures, ::testing::Values("postgres", "sqlite", "memory"));

task<void> one_after_another(transaction& tx) {
    for (int i = 0; i < 3; ++i) (void)co_await tx.query("select 1");
}

TEST_P(database_figures, tell_of_statements_connections_and_waits) {
    with_database(
        [](database& at) -> task<void> {
            const std::string name = at.shown();
            const auto of = [&name](std::string_view figure) { return told("database", name, figure); };
            const std::uint64_t queries = of("queries");
            const std::uint64_t waits = of("waits");
            std::vector<task<void>> all;
            for (int i = 0; i < 20; ++i) all.push_back(at.transaction(one_after_another));
            co_await when_all(std::move(all));
            EXPECT_GE(of("queries") - queries, 60u);
            EXPECT_GE(of("waits") - waits, 10u);
            EXPECT_GT(of("wait"), 0u);
            EXPECT_EQ(of("waiting"), 0u);
            EXPECT_GE(of("connections"), 1u);
            EXPECT_EQ(of("limit"), 2u);
        },
        {.connections = 2});
}

TEST_P(database_figures, come_from_a_loop_of_its_own_too) {
    database at(url());
    (void)at.query_sync("select 1");
    const auto known = [&at] { return told("database", at.shown(), "queries") > 0; };
    for (const instant end = from_now(20s); !known() && clock::now() < end;) std::this_thread::sleep_for(2ms);
    EXPECT_TRUE(known());
    EXPECT_EQ(told("database", at.shown(), "waiting"), 0u);
}

}  // namespace
}  // namespace rondo::db
