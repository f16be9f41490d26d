// SPDX-License-Identifier: Apache-2.0
// Behind a pooler (PgBouncer) that assigns a server connection per transaction, or per session.
#include <rondo/coro/when_all.hpp>
#include <rondo/db/databases_fixture.hpp>
#include <rondo/db/postgres/server_fixture.hpp>

namespace rondo::db::postgres {
namespace {

using namespace std::chrono_literals;

// Number of right answers to 100 of six `select N` statements, in an order that depends on `seed`.
task<int> count_right_answers(database& db, int seed) {
    int right = 0;
    for (int k = 0; k < 100; ++k) {
        const int n = (seed * 7 + k) % 6;
        const dynamic_sql sql("select " + std::to_string(n) + ", pg_sleep(0.0005)");
        const result r = co_await db.query(sql);
        right += r[0].value<int>(std::size_t{0}) == n;
    }
    co_return right;
}

task<int> count_right_answers_in_transactions(database& db, int seed) {
    int right = 0;
    for (int k = 0; k < 30; ++k) {
        const int n = (seed * 5 + k) % 6;
        right += co_await db.transaction([n](transaction& tx) -> task<int> {
            const dynamic_sql first("select " + std::to_string(n) + " where $1::int > 0");
            const result one = co_await tx.query(first, 1);
            const result two = co_await tx.query("select $1::int + 100", n);
            co_return one.scalar<int>() == n&& two.scalar<int>() == n + 100;
        });
    }
    co_return right;
}

task<void> exercise_database(database& db) {
    co_await db.open();
    std::vector<task<int>> all;
    for (int i = 0; i < 8; ++i) {
        all.push_back(count_right_answers(db, i));
        all.push_back(count_right_answers_in_transactions(db, i));
    }
    int right = 0;
    for (const int n : co_await when_all(std::move(all))) right += n;
    EXPECT_EQ(right, 8 * 130);
    const result when =
        co_await db.query("select '2026-02-01'::timestamptz, $1::timestamptz = '2026-02-01 00:00:00+00'",
                          time_point(std::chrono::sys_days(std::chrono::year(2026) / 2 / 1)));
    const auto [time, same] = when.one<std::tuple<time_point, bool>>();
    EXPECT_EQ(time, time_point(std::chrono::sys_days(std::chrono::year(2026) / 2 / 1)));
    EXPECT_TRUE(same);
    co_await db.execute_script("drop table if exists pooled; create table pooled (n int)");
    auto stream = db.stream<int>("select generate_series(1, 1000)");
    int rows = 0;
    while (const int* n = co_await stream.next()) rows += *n > 0;
    EXPECT_EQ(rows, 1000);
    co_await db.close();
}

void exercise_pooler(const std::string& mode, options limits = {.max_connections = 5}) {
    const std::string url = test_server::shared().send_command(mode);
    ASSERT_TRUE(url.starts_with("postgres://")) << "PgBouncer did not start";
    {
        event_loop loop;
        database db(url, limits);
        loop.run_until(exercise_database(db));
    }
    test_server::shared().run_command("end_poolers");
}

TEST(PostgresPooler, transaction_pooling) { exercise_pooler("pool_transactions"); }
TEST(PostgresPooler, transaction_pooling_without_prepared_statements) {
    exercise_pooler("pool_transactions", {.max_connections = 5, .statement_cache_size = 0});
}
TEST(PostgresPooler, transaction_pooling_with_a_small_cache) {
    exercise_pooler("pool_transactions", {.max_connections = 5, .statement_cache_size = 3});
}
TEST(PostgresPooler, more_clients_than_server_connections) {
    exercise_pooler("pool_transactions", {.max_connections = 20});
}
TEST(PostgresPooler, session_pooling) { exercise_pooler("pool_sessions"); }
TEST(PostgresPooler, pooler_that_rejects_startup_options) { exercise_pooler("pool_without_options"); }

}  // namespace
}  // namespace rondo::db::postgres
