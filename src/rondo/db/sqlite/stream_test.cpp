// SPDX-License-Identifier: Apache-2.0
// SQLite streams and transactions while other calls, cancellations and closing interfere.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/coro/task_group.hpp>
#include <rondo/coro/this_context.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/db/database.hpp>
#include <rondo/db/databases_fixture.hpp>
#include <rondo/db/sqlite/file.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::db::sqlite {
namespace {

using namespace std::chrono_literals;

constexpr statement many_rows =
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) select i from n";

class SqliteStream : public SqliteFileFixture {};

TEST_F(SqliteStream, rejects_other_calls_until_its_end) {
    file f(path(), 1s, 8);
    const parameters none;
    for (int round = 0; round < 3; ++round) {
        f.start_stream(many_rows, none);
        std::int64_t sum = 0;
        for (;;) {
            const result some = f.next_rows(100);
            if (some.empty()) break;
            for (const row r : some) sum += r.value<std::int64_t>(0);
            if (!f.is_streaming()) continue;
            EXPECT_THROW((void)f.run(many_rows, none), error);
            EXPECT_THROW((void)f.is_read_only(many_rows), error);
            EXPECT_THROW(f.start_stream(many_rows, none), error);
            EXPECT_THROW(f.run("rollback"), error);
            EXPECT_THROW(f.execute_script("select 1"), error);
        }
        EXPECT_EQ(sum, 20000 * 20001 / 2);
        for (int i = 0; i < 20; ++i) {
            const dynamic_sql other("select " + std::to_string(i));
            EXPECT_EQ(f.run(statement(other), none).scalar<int>(), i);
        }
    }
    f.start_stream(many_rows, none);
    (void)f.next_rows(10);
    f.clean_up();
    EXPECT_FALSE(f.is_streaming());
    EXPECT_EQ(f.run(many_rows, none).size(), 20000U);
}

// SQLite rolls back the whole transaction; later statements would otherwise be committed one by one.
TEST_F(SqliteStream, rejects_writes_after_an_implicit_rollback) {
    with_file([](database& db) -> task<void> {
        (void)co_await db.execute("create unique index only_one on things (n)");
        for (const bool interrupted : {false, true}) {
            const std::string message = co_await error_message_of(db.transaction(
                [](transaction& tx, bool stopped) -> task<void> {
                    (void)co_await tx.execute("insert into things values (1)");
                    try {
                        if (stopped) (void)co_await with_timeout(20ms, tx.execute(slow_write));
                        else (void)co_await tx.execute("insert or rollback into things values (1)");
                        ADD_FAILURE() << "it succeeded";
                    } catch (const timed_out&) {
                    } catch (const unique_violation&) {
                    }
                    EXPECT_TRUE((co_await error_message_of(tx.execute("insert into things values (2)")))
                                    .contains("rolled back"));
                    EXPECT_TRUE((co_await error_message_of(tx.execute_script("insert into things values (3)")))
                                    .contains("rolled back"));
                    auto rows = tx.stream<int>("insert into things values (4) returning n");
                    EXPECT_TRUE(
                        (co_await error_message_of([](auto& from) -> task<void> { (void)co_await from.next(); }(rows)))
                            .contains("rolled back"));
                },
                interrupted));
            EXPECT_TRUE(message.contains("rolled back")) << "COMMIT: " << message;
            EXPECT_EQ(co_await count_things(db), 0);
        }
    });
}

TEST_F(SqliteStream, cannot_end_a_transaction) {
    with_file([](database& db) -> task<void> {
        const std::string message = co_await error_message_of(db.transaction([](transaction& tx) -> task<void> {
            auto rows = tx.stream<int>("rollback");
            (void)co_await rows.next();
        }));
        EXPECT_TRUE(message.contains("only transaction() begins and ends")) << message;
    });
}

// Rejected before it runs: afterwards the changes could no longer be rolled back.
TEST_F(SqliteStream, other_statements_cannot_end_a_transaction) {
    with_file([](database& db) -> task<void> {
        // Puts them into the statement cache: alone they fail or change nothing.
        for (const char* sql : {"commit", "end", "rollback", "begin"})
            (void)co_await error_message_of(db.execute(dynamic_sql(sql)));
        co_await db.execute("create table kept (n int)");
        for (const std::string sql : {"commit", "COMMIT", "end transaction", "rollback", "begin", "/* */ commit;"}) {
            for (const bool script : {false, true}) {
                const std::string message = co_await error_message_of(db.transaction(
                    [](transaction& tx, std::string s, bool in_script) -> task<void> {
                        co_await tx.execute("insert into kept values (1)");
                        if (in_script) co_await tx.execute_script("insert into kept values (2); " + s);
                        else co_await tx.execute(dynamic_sql(s));
                    },
                    sql, script));
                EXPECT_TRUE(message.contains("only transaction() begins and ends")) << sql << ": " << message;
                const result left = co_await db.query("select count(*) as n from kept");
                EXPECT_EQ(left[0].value<int>("n"), 0) << sql;
            }
        }
        co_await db.transaction([](transaction& tx) -> task<void> {
            co_await tx.execute("insert into kept values (1)");
            co_await tx.execute("savepoint here");
            co_await tx.execute("insert into kept values (2)");
            co_await tx.execute("rollback to here");
        });
        const result left = co_await db.query("select n from kept");
        EXPECT_EQ(left.size(), 1u);
    });
}

// The cached statement is prepared again when it runs.
TEST_F(SqliteStream, reads_the_current_columns_of_a_table) {
    with_file(
        [](database& db) -> task<void> {
            for (const char* columns : {"a, b", "b, a", "b, c, a", "a"}) {
                co_await db.execute_script("drop table if exists pairs; create table pairs (" + std::string(columns) +
                                           "); insert into pairs (a) values (1)");
                const result all = co_await db.query("select * from pairs");
                EXPECT_EQ(all[0].value<int>("a"), 1) << columns;
                EXPECT_EQ(static_cast<std::ptrdiff_t>(all.columns()),
                          1 + std::ranges::count(std::string(columns), ','));
                auto rows = db.stream<int>("select * from pairs");
                if (all.columns() == 1) {
                    const int* a = co_await rows.next();
                    EXPECT_TRUE(a && *a == 1);
                } else {
                    EXPECT_THROW((void)co_await rows.next(), result_mismatch);
                }
            }
        },
        {.max_connections = 2});
}

TEST_F(SqliteStream, closing_the_database_ends_transactions) {
    with_file([](database& db) -> task<void> {
        for (const bool streaming : {false, true}) {
            const std::string message = co_await error_message_of(db.transaction(
                [](transaction& tx, database* target, bool streams) -> task<void> {
                    (void)co_await tx.execute("insert into things values (1)");
                    auto rows = tx.stream<int>(many_rows);
                    if (streams) (void)co_await rows.next();
                    co_await target->close();
                    for (int i = 0; streams && i < 1000; ++i) (void)co_await rows.next();
                    (void)co_await tx.execute("insert into things values (2)");
                },
                &db, streaming));
            EXPECT_EQ(message, "the database object was closed");
            EXPECT_EQ(co_await count_things(db), 0);
        }
    });
}

task<void> expect_released(session_lease& lease, statement s) {
    const std::string message = co_await error_message_of(lease->query(s, parameters()));
    EXPECT_EQ(message, "the connection was released");
}

TEST_F(SqliteStream, releasing_a_connection_ends_its_statements) {
    with_file([](database& db) -> task<void> {
        session_lease lease = co_await db.dedicated_connection();
        co_await lease->begin({});
        task_group group(co_await this_context());
        group.spawn(expect_released(lease, slow_write));
        group.spawn(expect_released(lease, "insert into things values (1)"));
        co_await wait_until_running(db, 1);
        lease.release();
        co_await group.join();
        const std::uint64_t changed = co_await db.execute("insert into things values (2)");
        EXPECT_EQ(changed, 1U);
        EXPECT_EQ(co_await count_things(db), 1);
    });
}

task<void> query_with_short_timeout(transaction& tx, int i) {
    try {
        co_await with_timeout(std::chrono::microseconds(50 * (i % 20)), error_message_of(tx.query(many_rows)));
    } catch (const timed_out&) {
    }
}

// Cancelling a waiting or running statement never cancels another one.
TEST_F(SqliteStream, cancels_queued_statements_individually) {
    with_file([](database& db) -> task<void> {
        co_await db.transaction([](transaction& tx) -> task<void> {
            for (int round = 0; round < 20; ++round) {
                std::vector<task<void>> all;
                for (int i = 0; i < 10; ++i) all.push_back(query_with_short_timeout(tx, round + i));
                all.push_back([](transaction& on) -> task<void> {
                    const result r = co_await on.query(many_rows);
                    EXPECT_EQ(r.size(), 20000U);
                }(tx));
                co_await when_all(std::move(all));
            }
            (void)co_await tx.execute("insert into things values (1)");
        });
        EXPECT_EQ(co_await count_things(db), 1);
    });
}

}  // namespace
}  // namespace rondo::db::sqlite
