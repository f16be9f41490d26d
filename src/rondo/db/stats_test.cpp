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

class DatabaseStats : public EveryDatabase {};
INSTANTIATE_TEST_SUITE_P(databases, DatabaseStats, ::testing::Values("postgres", "sqlite", "memory"));

task<void> run_three_queries(transaction& tx) {
    for (int i = 0; i < 3; ++i) (void)co_await tx.query("select 1");
}

TEST_P(DatabaseStats, counts_statements_connections_and_waits) {
    with_database(
        [](database& db) -> task<void> {
            const std::string name = db.display_url();
            const auto stat = [&name](std::string_view stat_name) { return stats_value("database", name, stat_name); };
            const std::uint64_t queries = stat("queries");
            const std::uint64_t waits = stat("waits");
            std::vector<task<void>> all;
            for (int i = 0; i < 20; ++i) all.push_back(db.transaction(run_three_queries));
            co_await when_all(std::move(all));
            EXPECT_GE(stat("queries") - queries, 60u);
            EXPECT_GE(stat("waits") - waits, 10u);
            EXPECT_GT(stat("wait"), 0u);
            EXPECT_EQ(stat("waiting"), 0u);
            EXPECT_GE(stat("connections"), 1u);
            EXPECT_EQ(stat("limit"), 2u);
        },
        {.max_connections = 2});
}

TEST_P(DatabaseStats, are_published_by_a_loop_on_its_own_thread) {
    database db(url());
    (void)db.query_sync("select 1");
    const auto is_published = [&db] { return stats_value("database", db.display_url(), "queries") > 0; };
    for (const instant end = from_now(20s); !is_published() && clock::now() < end;) std::this_thread::sleep_for(2ms);
    EXPECT_TRUE(is_published());
    EXPECT_EQ(stats_value("database", db.display_url(), "waiting"), 0u);
}

}  // namespace
}  // namespace rondo::db
