// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/transaction.hpp>

#include <rondo/coro/event.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/coro/when_any.hpp>
#include <rondo/db/databases_fixture.hpp>

namespace rondo::db {
namespace {

using namespace std::chrono_literals;

class transactions : public every_database {};
INSTANTIATE_TEST_SUITE_P(db, transactions, ::testing::Values("postgres", "sqlite", "memory"),
                         [](const auto& which) { return std::string(which.param); });

task<void> make_table(database& at) { co_await at.script("create table things (n integer primary key)"); }

TEST_P(transactions, commit_and_give_a_value) {
    with_database([](database& at) -> task<void> {
        co_await make_table(at);
        const int sum = co_await at.transaction(
            [](transaction& tx, int a, int b) -> task<int> {
                (void)co_await tx.execute("insert into things values ($1)", a);
                (void)co_await tx.execute("insert into things values ($1)", b);
                const result r = co_await tx.query("select sum(n) from things");
                co_return r.scalar<int>();
            },
            1, 2);
        EXPECT_EQ(sum, 3);
        EXPECT_EQ(co_await count_things(at), 2);
    });
}

TEST_P(transactions, a_plain_statement_or_a_script_leaves_none_open) {
    with_database([](database& at) -> task<void> {
        co_await make_table(at);
        for (const bool script : {false, true}) {
            bool refused = false;
            try {
                if (script) co_await at.script("begin; insert into things values (7)");
                else (void)co_await at.execute("begin");
            } catch (const error& e) {
                refused = std::string(e.what()).contains("transaction");
            }
            EXPECT_TRUE(refused) << script;
        }
        (void)co_await at.execute("insert into things values (1)");
        co_await at.transaction(
            [](transaction& tx) -> task<void> { (void)co_await tx.execute("insert into things values (2)"); });
        EXPECT_EQ(co_await count_things(at), 2);
    });
}

TEST_P(transactions, none_is_ended_from_within) {
    with_database([](database& at) -> task<void> {
        co_await make_table(at);
        for (const bool script : {false, true}) {
            bool refused = false;
            try {
                co_await at.transaction([script](transaction& tx) -> task<void> {
                    if (script) co_await tx.script("rollback");
                    else (void)co_await tx.execute("rollback");
                    (void)co_await tx.execute("insert into things values (1)");
                });
            } catch (const error& e) {
                refused = std::string(e.what()).contains("transaction()");
            }
            EXPECT_TRUE(refused) << script;
        }
        EXPECT_EQ(co_await count_things(at), 0);
    });
}

TEST_P(transactions, an_exception_rolls_back) {
    with_database([](database& at) -> task<void> {
        co_await make_table(at);
        bool thrown = false;
        try {
            co_await at.transaction([](transaction& tx) -> task<void> {
                (void)co_await tx.execute("insert into things values (1)");
                throw std::runtime_error("no");
            });
        } catch (const std::runtime_error& e) {
            thrown = std::string(e.what()) == "no";
        }
        EXPECT_TRUE(thrown);
        EXPECT_EQ(co_await count_things(at), 0);
    });
}

TEST_P(transactions, a_failed_statement_rolls_back) {
    with_database([](database& at) -> task<void> {
        co_await make_table(at);
        bool thrown = false;
        try {
            co_await at.transaction([](transaction& tx) -> task<void> {
                (void)co_await tx.execute("insert into things values (1)");
                (void)co_await tx.execute("insert into things values (1)");
            });
        } catch (const unique_violation&) {
            thrown = true;
        }
        EXPECT_TRUE(thrown);
        EXPECT_EQ(co_await count_things(at), 0);
    });
}

task<void> insert_and_wait(database& at, event& inserted) {
    co_await at.transaction(
        [](transaction& tx, event* told) -> task<void> {
            (void)co_await tx.execute("insert into things values (1)");
            told->set();
            co_await sleep(60s);
        },
        &inserted);
}

TEST_P(transactions, a_cancellation_rolls_back) {
    with_database([](database& at) -> task<void> {
        co_await make_table(at);
        event inserted;
        task_group group(co_await this_context());
        group.spawn(insert_and_wait(at, inserted));
        co_await inserted.wait();
        group.cancel();
        co_await group.join();
        EXPECT_EQ(co_await count_things(at), 0);
        // The connection is free again: who writes gets in at once.
        (void)co_await at.execute("insert into things values (1)");
    });
}

TEST_P(transactions, a_failure_that_was_swallowed_is_not_committed) {
    const bool postgres = this->postgres();
    with_database([postgres](database& at) -> task<void> {
        co_await make_table(at);
        bool refused = false;
        try {
            co_await at.transaction([](transaction& tx) -> task<void> {
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
        EXPECT_EQ(co_await count_things(at), postgres ? 0 : 1);
    });
}

TEST_P(transactions, the_blocking_form) {
    database at(url());
    at.script_sync("drop table if exists things; create table things (n integer primary key)");
    const int got = at.transaction_sync([](sync_transaction& tx) {
        tx.execute("insert into things values ($1)", 5);
        return tx.query("select n from things").scalar<int>();
    });
    EXPECT_EQ(got, 5);
    EXPECT_THROW(at.transaction_sync([](sync_transaction& tx) {
        tx.execute("insert into things values ($1)", 6);
        throw std::runtime_error("no");
    }),
                 std::runtime_error);
    EXPECT_EQ(at.query_sync("select count(*) from things").scalar<int>(), 1);
}

TEST_P(transactions, rows_one_by_one) {
    with_database([](database& at) -> task<void> {
        co_await make_table(at);
        co_await at.transaction([](transaction& tx) -> task<void> {
            for (int i = 0; i < 1000; ++i) (void)co_await tx.execute("insert into things values ($1)", i);
        });
        auto numbers = at.stream<int>("select n from things where n >= $1 order by n", 10);
        int expected = 10;
        for (;;) {
            const int* n = co_await numbers.next();
            if (!n) break;
            EXPECT_EQ(*n, expected++);
        }
        EXPECT_EQ(expected, 1000);
        {
            auto left = at.stream<int>("select n from things order by n");
            const int* first = co_await left.next();
            EXPECT_TRUE(first && *first == 0);
        }
        EXPECT_EQ(co_await count_things(at), 1000);
        auto wrong = at.stream<int>("select n from nothing_there");
        EXPECT_THROW((void)co_await wrong.next(), error);
    });
}

}  // namespace
}  // namespace rondo::db
