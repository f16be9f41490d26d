// SPDX-License-Identifier: Apache-2.0
// Streams in transactions, and calls made while a stream is open.
#include <string>
#include <vector>

#include <rondo/coro/when_all.hpp>
#include <rondo/db/databases_fixture.hpp>

namespace rondo::db {
namespace {

class Streams : public EveryDatabase {};
INSTANTIATE_TEST_SUITE_P(db, Streams, ::testing::Values("postgres", "sqlite", "memory"),
                         [](const auto& which) { return std::string(which.param); });

// More than any driver reads ahead.
constexpr statement many_rows =
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) select i from n";
constexpr statement few_rows = "select n from things order by n";

task<void> make_five_things(database& db) {
    co_await db.execute_script(
        "create table things (n integer primary key); insert into things values (1), (2), (3), (4), (5)");
}

task<int> sum_rows(async_generator<int> rows) {
    int sum = 0;
    for (;;) {
        const int* n = co_await rows.next();
        if (!n) break;
        sum += *n;
    }
    co_return sum;
}

task<int> next_value(async_generator<int>& rows) {
    const int* n = co_await rows.next();
    co_return n ? *n : 0;
}

constexpr const char* stream_open_message = "the connection is used by a stream: read all of its rows first";
constexpr const char* connection_in_use_message =
    "a stream needs exclusive use of its connection: await the running statements first";

TEST_P(Streams, reject_other_calls_on_their_connection) {
    with_database([](database& db) -> task<void> {
        co_await make_five_things(db);
        co_await db.transaction([](transaction& tx) -> task<void> {
            auto rows = tx.stream<int>(many_rows);
            EXPECT_EQ(co_await next_value(rows), 1);
            EXPECT_EQ(co_await error_message_of(tx.query("select 1")), stream_open_message);
            EXPECT_EQ(co_await error_message_of(tx.execute("insert into things values (6)")), stream_open_message);
            EXPECT_EQ(co_await error_message_of(tx.execute("savepoint here")), stream_open_message);
            EXPECT_EQ(co_await error_message_of(tx.execute_script("insert into things values (7)")),
                      stream_open_message);
            EXPECT_EQ(co_await error_message_of(sum_rows(tx.stream<int>(few_rows))), connection_in_use_message);
            EXPECT_EQ(co_await sum_rows(std::move(rows)), 20000 * 20001 / 2 - 1);
            (void)co_await tx.execute("insert into things values (8)");
            EXPECT_EQ(co_await sum_rows(tx.stream<int>(few_rows)), 23);
        });
        EXPECT_EQ(co_await count_things(db), 6);
    });
}

// Each is a different statement: the statement cache would be full.
TEST_P(Streams, return_their_rows_despite_rejected_calls) {
    with_database(
        [](database& db) -> task<void> {
            co_await db.transaction([](transaction& tx) -> task<void> {
                auto rows = tx.stream<int>(many_rows);
                int sum = 0;
                for (int i = 0;; ++i) {
                    const int n = co_await next_value(rows);
                    if (n == 0) break;
                    sum += n;
                    if (i < 20) {
                        const dynamic_sql other("select " + std::to_string(i));
                        EXPECT_EQ(co_await error_message_of(tx.query(other)), stream_open_message);
                    }
                }
                EXPECT_EQ(sum, 20000 * 20001 / 2);
            });
        },
        {.max_connections = 2, .statement_cache_size = 8});
}

TEST_P(Streams, block_the_transaction_until_their_last_row) {
    with_database([](database& db) -> task<void> {
        co_await make_five_things(db);
        for (const bool destroyed : {false, true}) {
            const std::string message = co_await error_message_of(db.transaction(
                [](transaction& tx, bool early) -> task<void> {
                    (void)co_await tx.execute("insert into things values (9)");
                    auto rows = tx.stream<int>(many_rows);
                    EXPECT_EQ(co_await next_value(rows), 1);
                    if (early) rows = {};
                    EXPECT_EQ(co_await error_message_of(tx.query("select 1")), stream_open_message);
                },
                destroyed));
            EXPECT_EQ(message, stream_open_message) << "COMMIT";
            EXPECT_EQ(co_await count_things(db), 5) << "not rolled back";
        }
    });
}

TEST_P(Streams, end_when_the_transaction_throws) {
    with_database([](database& db) -> task<void> {
        co_await make_five_things(db);
        bool thrown = false;
        try {
            co_await db.transaction([](transaction& tx) -> task<void> {
                (void)co_await tx.execute("insert into things values (9)");
                auto rows = tx.stream<int>(many_rows);
                EXPECT_EQ(co_await next_value(rows), 1);
                throw std::runtime_error("no");
            });
        } catch (const std::runtime_error& e) {
            thrown = std::string(e.what()) == "no";
        }
        EXPECT_TRUE(thrown);
        co_await db.transaction(
            [](transaction& tx) -> task<void> { (void)co_await tx.execute("insert into things values (10)"); });
        EXPECT_EQ(co_await count_things(db), 6);
    });
}

TEST_P(Streams, release_the_connection_when_they_fail) {
    with_database([](database& db) -> task<void> {
        const bool postgres = db.kind() == database_kind::postgres;
        co_await make_five_things(db);
        const std::string message = co_await error_message_of(db.transaction(
            [](transaction& tx, bool fails_whole) -> task<void> {
                EXPECT_TRUE((co_await error_message_of(sum_rows(tx.stream<int>("select n from nothing_there"))))
                                .contains("nothing_there"));
                EXPECT_NE(co_await error_message_of(sum_rows(tx.stream<int>("select $1 + 0"))), "") << "no value";
                const std::string after = co_await error_message_of(tx.execute("insert into things values (6)"));
                EXPECT_EQ(!after.empty(), fails_whole) << after;
            },
            postgres));
        EXPECT_EQ(message.empty(), !postgres) << message;
    });
}

// The database completes the first stream before all of its rows are read.
TEST_P(Streams, never_return_rows_of_a_later_stream) {
    with_database([](database& db) -> task<void> {
        co_await make_five_things(db);
        co_await db.transaction([](transaction& tx) -> task<void> {
            auto first = tx.stream<int>(few_rows);
            EXPECT_EQ(co_await next_value(first), 1);
            auto second = tx.stream<int>(many_rows);
            int got = 0;
            const std::string refused = co_await error_message_of(
                [](auto& from, int& to) -> task<void> { to = co_await next_value(from); }(second, got));
            EXPECT_TRUE(refused.empty() ? got == 1 : refused == connection_in_use_message) << refused << got;
            EXPECT_EQ(co_await sum_rows(std::move(first)), 2 + 3 + 4 + 5);
            const int left = refused.empty() ? co_await sum_rows(std::move(second)) : 0;
            EXPECT_EQ(left, refused.empty() ? 20000 * 20001 / 2 - 1 : 0);
        });
    });
}

task<int> number(transaction& tx, int i) {
    const result r = co_await tx.query("insert into things values ($1) returning n + 0", i);
    co_return r.scalar<int>();
}

TEST_P(Streams, concurrent_statements_take_turns) {
    with_database([](database& db) -> task<void> {
        co_await make_five_things(db);
        co_await db.transaction([](transaction& tx) -> task<void> {
            for (int round = 1; round <= 10; ++round) {
                std::vector<task<int>> all;
                for (int i = 0; i < 20; ++i) all.push_back(number(tx, 100 * round + i));
                const std::vector<int> got = co_await when_all(std::move(all));
                for (int i = 0; i < 20; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], 100 * round + i);
            }
        });
        EXPECT_EQ(co_await count_things(db), 205);
    });
}

TEST_P(Streams, exclusive_calls_reject_concurrent_calls) {
    with_database([](database& db) -> task<void> {
        co_await make_five_things(db);
        co_await db.transaction([](transaction& tx) -> task<void> {
            const auto [one, rejected_stream] = co_await when_all(error_message_of(tx.query("select 1")),
                                                                  error_message_of(sum_rows(tx.stream<int>(few_rows))));
            EXPECT_EQ(one, "");
            EXPECT_EQ(rejected_stream, connection_in_use_message);
            const auto [stream, late] = co_await when_all(error_message_of(sum_rows(tx.stream<int>(many_rows))),
                                                          error_message_of(tx.query("select 1")));
            EXPECT_EQ(stream, "");
            EXPECT_EQ(late, stream_open_message);
            const auto [script, rejected_query] = co_await when_all(
                error_message_of(tx.execute_script("select 1; select 2")), error_message_of(tx.query("select 1")));
            EXPECT_EQ(script, "");
            EXPECT_TRUE(rejected_query.contains("a script")) << rejected_query;
            const auto [two, rejected_script] = co_await when_all(error_message_of(tx.query("select 1")),
                                                                  error_message_of(tx.execute_script("select 1")));
            EXPECT_EQ(two, "");
            EXPECT_TRUE(rejected_script.contains("needs exclusive use of its connection")) << rejected_script;
            (void)co_await tx.execute("insert into things values (6)");
        });
        EXPECT_EQ(co_await count_things(db), 6);
    });
}

}  // namespace
}  // namespace rondo::db
