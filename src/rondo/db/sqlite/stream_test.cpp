// SPDX-License-Identifier: Apache-2.0
// What may happen to a statement of SQLite while it runs, and to its transaction.
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

class sqlite_stream : public with_sqlite_file {};

TEST_F(sqlite_stream, its_statement_is_not_touched_until_its_end) {
    file f(path(), 1s, 8);
    const parameters none;
    for (int round = 0; round < 3; ++round) {
        f.start(many_rows, none);
        std::int64_t sum = 0;
        for (;;) {
            const result some = f.next(100);
            if (some.empty()) break;
            for (const row r : some) sum += r.value<std::int64_t>(0);
            if (!f.streams()) continue;
            EXPECT_THROW((void)f.run(many_rows, none), error);
            EXPECT_THROW((void)f.only_reads(many_rows), error);
            EXPECT_THROW(f.start(many_rows, none), error);
            EXPECT_THROW(f.run("rollback"), error);
            EXPECT_THROW(f.script("select 1"), error);
        }
        EXPECT_EQ(sum, 20000 * 20001 / 2);
        for (int i = 0; i < 20; ++i) {
            const dynamic_sql other("select " + std::to_string(i));
            EXPECT_EQ(f.run(statement(other), none).scalar<int>(), i);
        }
    }
    f.start(many_rows, none);
    (void)f.next(10);
    f.clean_up();
    EXPECT_FALSE(f.streams());
    EXPECT_EQ(f.run(many_rows, none).size(), 20000U);
}

// In SQLite that rolls back the whole transaction; what came after it would be written for good, each by itself.
TEST_F(sqlite_stream, nothing_is_written_after_a_transaction_was_rolled_back) {
    with_file([](database& at) -> task<void> {
        (void)co_await at.execute("create unique index only_one on things (n)");
        for (const bool interrupted : {false, true}) {
            const std::string sentence = co_await failure_of(at.transaction(
                [](transaction& tx, bool stopped) -> task<void> {
                    (void)co_await tx.execute("insert into things values (1)");
                    try {
                        if (stopped) (void)co_await with_timeout(20ms, tx.execute(long_write));
                        else (void)co_await tx.execute("insert or rollback into things values (1)");
                        ADD_FAILURE() << "it was done";
                    } catch (const timed_out&) {
                    } catch (const unique_violation&) {
                    }
                    EXPECT_TRUE(
                        (co_await failure_of(tx.execute("insert into things values (2)"))).contains("rolled back"));
                    EXPECT_TRUE(
                        (co_await failure_of(tx.script("insert into things values (3)"))).contains("rolled back"));
                    auto rows = tx.stream<int>("insert into things values (4) returning n");
                    EXPECT_TRUE(
                        (co_await failure_of([](auto& from) -> task<void> { (void)co_await from.next(); }(rows)))
                            .contains("rolled back"));
                },
                interrupted));
            EXPECT_TRUE(sentence.contains("rolled back")) << "COMMIT: " << sentence;
            EXPECT_EQ(co_await count_things(at), 0);
        }
    });
}

TEST_F(sqlite_stream, a_transaction_is_not_ended_by_one) {
    with_file([](database& at) -> task<void> {
        const std::string sentence = co_await failure_of(at.transaction([](transaction& tx) -> task<void> {
            auto rows = tx.stream<int>("rollback");
            (void)co_await rows.next();
        }));
        EXPECT_TRUE(sentence.contains("ended by transaction()")) << sentence;
    });
}

// Refused before it runs: afterwards what was to be rolled back would be there for good.
TEST_F(sqlite_stream, nor_by_another_statement) {
    with_file([](database& at) -> task<void> {
        // In the cache of statements too: alone they fail, or change nothing.
        for (const char* sql : {"commit", "end", "rollback", "begin"})
            (void)co_await failure_of(at.execute(dynamic_sql(sql)));
        co_await at.execute("create table kept (n int)");
        for (const std::string sql : {"commit", "COMMIT", "end transaction", "rollback", "begin", "/* */ commit;"}) {
            for (const bool script : {false, true}) {
                const std::string sentence = co_await failure_of(at.transaction(
                    [](transaction& tx, std::string s, bool in_script) -> task<void> {
                        co_await tx.execute("insert into kept values (1)");
                        if (in_script) co_await tx.script("insert into kept values (2); " + s);
                        else co_await tx.execute(dynamic_sql(s));
                    },
                    sql, script));
                EXPECT_TRUE(sentence.contains("ended by transaction()")) << sql << ": " << sentence;
                const result left = co_await at.query("select count(*) as n from kept");
                EXPECT_EQ(left[0].value<int>("n"), 0) << sql;
            }
        }
        co_await at.transaction([](transaction& tx) -> task<void> {
            co_await tx.execute("insert into kept values (1)");
            co_await tx.execute("savepoint here");
            co_await tx.execute("insert into kept values (2)");
            co_await tx.execute("rollback to here");
        });
        const result left = co_await at.query("select n from kept");
        EXPECT_EQ(left.size(), 1u);
    });
}

// The statement stays in the cache, and is prepared again when it runs.
TEST_F(sqlite_stream, columns_are_those_of_the_table_as_it_is) {
    with_file(
        [](database& at) -> task<void> {
            for (const char* columns : {"a, b", "b, a", "b, c, a", "a"}) {
                co_await at.script("drop table if exists pairs; create table pairs (" + std::string(columns) +
                                   "); insert into pairs (a) values (1)");
                const result all = co_await at.query("select * from pairs");
                EXPECT_EQ(all[0].value<int>("a"), 1) << columns;
                EXPECT_EQ(static_cast<std::ptrdiff_t>(all.columns()),
                          1 + std::ranges::count(std::string(columns), ','));
                auto rows = at.stream<int>("select * from pairs");
                if (all.columns() == 1) {
                    const int* a = co_await rows.next();
                    EXPECT_TRUE(a && *a == 1);
                } else {
                    EXPECT_THROW((void)co_await rows.next(), result_mismatch);
                }
            }
        },
        {.connections = 2});
}

TEST_F(sqlite_stream, the_end_of_the_database_object_ends_transactions) {
    with_file([](database& at) -> task<void> {
        for (const bool streaming : {false, true}) {
            const std::string sentence = co_await failure_of(at.transaction(
                [](transaction& tx, database* of, bool streams) -> task<void> {
                    (void)co_await tx.execute("insert into things values (1)");
                    auto rows = tx.stream<int>(many_rows);
                    if (streams) (void)co_await rows.next();
                    co_await of->close();
                    for (int i = 0; streams && i < 1000; ++i) (void)co_await rows.next();
                    (void)co_await tx.execute("insert into things values (2)");
                },
                &at, streaming));
            EXPECT_EQ(sentence, "the database object was closed");
            EXPECT_EQ(co_await count_things(at), 0);
        }
    });
}

task<void> expect_given_back(session_lease& lease, statement s) {
    const std::string sentence = co_await failure_of(lease->query(s, parameters()));
    EXPECT_EQ(sentence, "the connection was given back");
}

TEST_F(sqlite_stream, a_connection_that_is_given_back_ends_what_runs_on_it) {
    with_file([](database& at) -> task<void> {
        session_lease lease = co_await at.extra_connection();
        co_await lease->begin({});
        task_group group(co_await this_context());
        group.spawn(expect_given_back(lease, long_write));
        group.spawn(expect_given_back(lease, "insert into things values (1)"));
        co_await until_running(at, 1);
        lease.give_back();
        co_await group.join();
        const std::uint64_t changed = co_await at.execute("insert into things values (2)");
        EXPECT_EQ(changed, 1U);
        EXPECT_EQ(co_await count_things(at), 1);
    });
}

task<void> cancelled_sometimes(transaction& tx, int i) {
    try {
        co_await with_timeout(std::chrono::microseconds(50 * (i % 20)), failure_of(tx.query(many_rows)));
    } catch (const timed_out&) {
    }
}

// A cancellation is one of the statement that waits or runs, never of the one beside it.
TEST_F(sqlite_stream, statements_that_take_turns_are_cancelled_each_by_itself) {
    with_file([](database& at) -> task<void> {
        co_await at.transaction([](transaction& tx) -> task<void> {
            for (int round = 0; round < 20; ++round) {
                std::vector<task<void>> all;
                for (int i = 0; i < 10; ++i) all.push_back(cancelled_sometimes(tx, round + i));
                all.push_back([](transaction& on) -> task<void> {
                    const result r = co_await on.query(many_rows);
                    EXPECT_EQ(r.size(), 20000U);
                }(tx));
                co_await when_all(std::move(all));
            }
            (void)co_await tx.execute("insert into things values (1)");
        });
        EXPECT_EQ(co_await count_things(at), 1);
    });
}

}  // namespace
}  // namespace rondo::db::sqlite
