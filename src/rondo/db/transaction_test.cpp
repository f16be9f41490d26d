// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/transaction.hpp>

#include <rondo/coro/event.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/coro/when_any.hpp>
#include <rondo/db/databases_fixture.hpp>

namespace rondo::db {
namespace {

using namespace std::chrono_literals;

class Transactions : public EveryDatabase {};
INSTANTIATE_TEST_SUITE_P(db, Transactions, ::testing::Values("postgres", "sqlite", "memory"),
                         [](const auto& which) { return std::string(which.param); });

task<void> make_table(database& db) { co_await db.execute_script("create table things (n integer primary key)"); }

TEST_P(Transactions, commits_and_returns_a_value) {
    with_database([](database& db) -> task<void> {
        co_await make_table(db);
        const int sum = co_await db.transaction(
            [](transaction& tx, int a, int b) -> task<int> {
                (void)co_await tx.execute("insert into things values ($1)", a);
                (void)co_await tx.execute("insert into things values ($1)", b);
                const result r = co_await tx.query("select sum(n) from things");
                co_return r.scalar<int>();
            },
            1, 2);
        EXPECT_EQ(sum, 3);
        EXPECT_EQ(co_await count_things(db), 2);
    });
}

TEST_P(Transactions, with_options_commit_or_roll_back) {
    with_database([](database& db) -> task<void> {
        co_await make_table(db);
        const transaction_options options{.isolation = isolation_level::serializable};
        const int sum = co_await db.transaction_with(
            options,
            [](transaction& tx, int a, int b) -> task<int> {
                (void)co_await tx.execute("insert into things values ($1)", a);
                (void)co_await tx.execute("insert into things values ($1)", b);
                const result r = co_await tx.query("select sum(n) from things");
                co_return r.scalar<int>();
            },
            1, 2);
        EXPECT_EQ(sum, 3);
        bool thrown = false;
        try {
            co_await db.transaction_with(options, [](transaction& tx) -> task<void> {
                (void)co_await tx.execute("insert into things values (3)");
                throw std::runtime_error("no");
            });
        } catch (const std::runtime_error& e) {
            thrown = std::string(e.what()) == "no";
        }
        EXPECT_TRUE(thrown);
        EXPECT_EQ(co_await count_things(db), 2);
    });
}

TEST_P(Transactions, read_only_ones_do_not_wait_for_the_writer) {
    if (std::string_view(GetParam()) == "memory") return;  // has a single connection
    with_database([](database& db) -> task<void> {
        co_await make_table(db);
        co_await db.transaction(
            [](transaction& writer, database* target) -> task<void> {
                (void)co_await writer.execute("insert into things values (1)");
                const transaction_options options{.read_only = true};
                const int count = co_await target->transaction_with(options, [](transaction& reader) -> task<int> {
                    const result r = co_await reader.query("select count(*) from things");
                    co_return r.scalar<int>();
                });
                EXPECT_EQ(count, 0);
            },
            &db);
        EXPECT_EQ(co_await count_things(db), 1);
    });
}

TEST_P(Transactions, plain_statements_and_scripts_must_not_leave_one_open) {
    with_database([](database& db) -> task<void> {
        co_await make_table(db);
        for (const bool script : {false, true}) {
            bool refused = false;
            try {
                if (script) co_await db.execute_script("begin; insert into things values (7)");
                else (void)co_await db.execute("begin");
            } catch (const error& e) {
                refused = std::string(e.what()).contains("transaction");
            }
            EXPECT_TRUE(refused) << script;
        }
        (void)co_await db.execute("insert into things values (1)");
        co_await db.transaction(
            [](transaction& tx) -> task<void> { (void)co_await tx.execute("insert into things values (2)"); });
        EXPECT_EQ(co_await count_things(db), 2);
    });
}

TEST_P(Transactions, rejects_rollback_inside_the_body) {
    with_database([](database& db) -> task<void> {
        co_await make_table(db);
        for (const bool script : {false, true}) {
            bool refused = false;
            try {
                co_await db.transaction([script](transaction& tx) -> task<void> {
                    if (script) co_await tx.execute_script("rollback");
                    else (void)co_await tx.execute("rollback");
                    (void)co_await tx.execute("insert into things values (1)");
                });
            } catch (const error& e) {
                refused = std::string(e.what()).contains("transaction()");
            }
            EXPECT_TRUE(refused) << script;
        }
        EXPECT_EQ(co_await count_things(db), 0);
    });
}

TEST_P(Transactions, rolls_back_on_exception) {
    with_database([](database& db) -> task<void> {
        co_await make_table(db);
        bool thrown = false;
        try {
            co_await db.transaction([](transaction& tx) -> task<void> {
                (void)co_await tx.execute("insert into things values (1)");
                throw std::runtime_error("no");
            });
        } catch (const std::runtime_error& e) {
            thrown = std::string(e.what()) == "no";
        }
        EXPECT_TRUE(thrown);
        EXPECT_EQ(co_await count_things(db), 0);
    });
}

TEST_P(Transactions, rolls_back_on_a_failed_statement) {
    with_database([](database& db) -> task<void> {
        co_await make_table(db);
        bool thrown = false;
        try {
            co_await db.transaction([](transaction& tx) -> task<void> {
                (void)co_await tx.execute("insert into things values (1)");
                (void)co_await tx.execute("insert into things values (1)");
            });
        } catch (const unique_violation&) {
            thrown = true;
        }
        EXPECT_TRUE(thrown);
        EXPECT_EQ(co_await count_things(db), 0);
    });
}

task<void> insert_and_wait(database& db, event& inserted) {
    co_await db.transaction(
        [](transaction& tx, event* inserted_event) -> task<void> {
            (void)co_await tx.execute("insert into things values (1)");
            inserted_event->set();
            co_await sleep(60s);
        },
        &inserted);
}

TEST_P(Transactions, rolls_back_on_cancellation) {
    with_database([](database& db) -> task<void> {
        co_await make_table(db);
        event inserted;
        task_group group(co_await this_context());
        group.spawn(insert_and_wait(db, inserted));
        co_await inserted.wait();
        group.cancel();
        co_await group.join();
        EXPECT_EQ(co_await count_things(db), 0);
        // The connection is free again: a writer does not wait.
        (void)co_await db.execute("insert into things values (1)");
    });
}

TEST_P(Transactions, does_not_commit_a_swallowed_failure_on_postgres) {
    const bool postgres = this->is_postgres();
    with_database([postgres](database& db) -> task<void> {
        co_await make_table(db);
        bool refused = false;
        try {
            co_await db.transaction([](transaction& tx) -> task<void> {
                (void)co_await tx.execute("insert into things values (1)");
                try {
                    (void)co_await tx.execute("insert into things values (1)");
                } catch (const error&) {
                }
            });
        } catch (const error&) {
            refused = true;
        }
        EXPECT_EQ(refused, postgres);  // SQLite undoes the statement, not the transaction
        EXPECT_EQ(co_await count_things(db), postgres ? 0 : 1);
    });
}

TEST_P(Transactions, has_a_blocking_form) {
    database db(url());
    db.execute_script_sync("drop table if exists things; create table things (n integer primary key)");
    const int got = db.transaction_sync([](sync_transaction& tx) {
        tx.execute("insert into things values ($1)", 5);
        return tx.query("select n from things").scalar<int>();
    });
    EXPECT_EQ(got, 5);
    EXPECT_THROW(db.transaction_sync([](sync_transaction& tx) {
        tx.execute("insert into things values ($1)", 6);
        throw std::runtime_error("no");
    }),
                 std::runtime_error);
    EXPECT_EQ(db.query_sync("select count(*) from things").scalar<int>(), 1);
    const auto count = [](sync_transaction& tx) { return tx.query("select count(*) from things").scalar<int>(); };
    EXPECT_EQ(db.transaction_sync(count, transaction_options{.read_only = true}), 1);
}

TEST_P(Transactions, streams_rows) {
    with_database([](database& db) -> task<void> {
        co_await make_table(db);
        co_await db.transaction([](transaction& tx) -> task<void> {
            for (int i = 0; i < 1000; ++i) (void)co_await tx.execute("insert into things values ($1)", i);
        });
        auto numbers = db.stream<int>("select n from things where n >= $1 order by n", 10);
        int expected = 10;
        for (;;) {
            const int* n = co_await numbers.next();
            if (!n) break;
            EXPECT_EQ(*n, expected++);
        }
        EXPECT_EQ(expected, 1000);
        {
            auto left = db.stream<int>("select n from things order by n");
            const int* first = co_await left.next();
            EXPECT_TRUE(first && *first == 0);
        }
        EXPECT_EQ(co_await count_things(db), 1000);
        auto wrong = db.stream<int>("select n from nothing_there");
        EXPECT_THROW((void)co_await wrong.next(), error);
    });
}

}  // namespace
}  // namespace rondo::db
