// SPDX-License-Identifier: Apache-2.0
// SQLite files: statements are interrupted on their threads.
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <rondo/coro/task_group.hpp>
#include <rondo/coro/this_context.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/db/database.hpp>
#include <rondo/db/databases_fixture.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::db::sqlite {
namespace {

using namespace std::chrono_literals;

class SqliteFile : public SqliteFileFixture {};

// Runs for minutes.
constexpr statement slow_read =
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000000) select count(*) from n";

task<void> run_slow(database& db, bool writes) { (void)co_await db.query(writes ? slow_write : slow_read); }

TEST_F(SqliteFile, interrupts_a_cancelled_statement) {
    with_file([](database& db) -> task<void> {
        for (const bool writes : {false, true}) {
            task_group group(co_await this_context());
            group.spawn(run_slow(db, writes));
            co_await wait_until_running(db, 1);
            group.cancel();
            co_await group.join();
            co_await wait_until_running(db, 0);
        }
        const result r = co_await db.query("select count(*) from things");
        EXPECT_EQ(r.scalar<int>(), 0);
    });
}

TEST_F(SqliteFile, interrupts_a_statement_at_the_deadline) {
    with_file([](database& db) -> task<void> {
        for (const bool writes : {false, true}) {
            bool late = false;
            try {
                co_await with_timeout(20ms, run_slow(db, writes));
            } catch (const timed_out&) {
                late = true;
            }
            EXPECT_TRUE(late);
        }
        co_await wait_until_running(db, 0);
    });
}

TEST_F(SqliteFile, cancels_a_wait_for_the_writer) {
    with_file([](database& db) -> task<void> {
        co_await db.transaction(
            [](transaction& tx, database* target) -> task<void> {
                (void)co_await tx.execute("insert into things values (1)");
                bool late = false;
                try {
                    co_await with_timeout(5ms, run_slow(*target, true));
                } catch (const timed_out&) {
                    late = true;
                }
                EXPECT_TRUE(late);
            },
            &db);
        const result r = co_await db.query("select count(*) from things");
        EXPECT_EQ(r.scalar<int>(), 1);
    });
}

task<void> run_short_statements(database& db, int count, int& good) {
    for (int i = 0; i < count; ++i) {
        const result r = co_await db.query("select $1 + 0", i);
        good += r.scalar<int>() == i;
        const std::uint64_t changed = co_await db.execute("insert into things values ($1)", i);
        good += changed == 1;
    }
}

task<void> cancel_repeatedly(database& db, int count, bool writes) {
    for (int i = 0; i < count; ++i) {
        try {
            co_await with_timeout(std::chrono::microseconds(100 + 37 * (i % 40)), run_slow(db, writes));
            ADD_FAILURE() << "the statement ended";
        } catch (const timed_out&) {
        }
    }
}

// Connections change callers: interrupting a statement must not affect the next one on the same connection.
TEST_F(SqliteFile, cancels_only_its_own_statement) {
    int good = 0;
    with_file(
        [&good](database& db) {
            return [](database& target, int& sum) -> task<void> {
                co_await when_all(run_short_statements(target, 200, sum), run_short_statements(target, 200, sum),
                                  cancel_repeatedly(target, 200, false), cancel_repeatedly(target, 100, true));
            }(db, good);
        },
        {.max_connections = 2});
    EXPECT_EQ(good, 800);
}

// ---- cancellation at random ----

task<void> run_random_operation(database& db, unsigned kind) {
    switch (kind % 4) {
        case 0: {
            (void)co_await db.query(
                "with recursive n(i) as (select 1 union all select i + 1 from n where i < $1) "
                "select sum(i) from n",
                static_cast<int>(kind % 20'000));
            break;
        }
        case 1: {
            co_await db.transaction([](transaction& tx) -> task<void> {
                (void)co_await tx.execute("insert into things values (1)");
                (void)co_await tx.query("select count(*) from things");
                throw std::runtime_error("never committed");
            });
            break;
        }
        case 2: {
            auto rows = db.stream<int>(
                "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) select i from n");
            for (unsigned i = 0; i < kind % 1200; ++i) {
                const int* row = co_await rows.next();
                if (!row) break;
            }
            break;
        }
        default: {
            const result r = co_await db.query("select $1", static_cast<int>(kind));
            if (r.scalar<int>() != static_cast<int>(kind)) ADD_FAILURE() << "the result of another statement";
        }
    }
}

TEST_F(SqliteFile, leaks_nothing_after_ten_thousand_cancellations) {
    const std::size_t before = open_fd_count();
    with_file(
        [](database& db) -> task<void> {
            std::vector<task<void>> all;
            for (unsigned seed = 1; seed <= 40; ++seed) all.push_back(cancel_at_random(db, seed, run_random_operation));
            co_await when_all(std::move(all));
            for (;;) {
                const database_stats s = co_await db.stats();
                if (s.running == 0 && s.waiting == 0 && s.idle == s.connections) break;
                co_await sleep(5ms);
            }
            const result left = co_await db.query("select count(*) from things");
            EXPECT_EQ(left.scalar<int>(), 0);
        },
        {.max_connections = 6});
    EXPECT_EQ(open_fd_count(), before);
}

}  // namespace
}  // namespace rondo::db::sqlite
