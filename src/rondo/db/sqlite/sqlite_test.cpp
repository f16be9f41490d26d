// SPDX-License-Identifier: Apache-2.0
// What only a file has: statements that are stopped on its threads.
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

class sqlite_file : public with_sqlite_file {};

// Minutes of work.
constexpr statement long_read =
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000000) select count(*) from n";

task<void> run_long(database& at, bool writes) { (void)co_await at.query(writes ? long_write : long_read); }

TEST_F(sqlite_file, a_cancelled_statement_stops) {
    with_file([](database& at) -> task<void> {
        for (const bool writes : {false, true}) {
            task_group group(co_await this_context());
            group.spawn(run_long(at, writes));
            co_await until_running(at, 1);
            group.cancel();
            co_await group.join();
            co_await until_running(at, 0);
        }
        const result r = co_await at.query("select count(*) from things");
        EXPECT_EQ(r.scalar<int>(), 0);
    });
}

TEST_F(sqlite_file, a_deadline_stops_the_statement) {
    with_file([](database& at) -> task<void> {
        for (const bool writes : {false, true}) {
            bool late = false;
            try {
                co_await with_timeout(20ms, run_long(at, writes));
            } catch (const timed_out&) {
                late = true;
            }
            EXPECT_TRUE(late);
        }
        co_await until_running(at, 0);
    });
}

TEST_F(sqlite_file, a_wait_for_the_writer_is_cancelled) {
    with_file([](database& at) -> task<void> {
        co_await at.transaction(
            [](transaction& tx, database* of) -> task<void> {
                (void)co_await tx.execute("insert into things values (1)");
                bool late = false;
                try {
                    co_await with_timeout(5ms, run_long(*of, true));
                } catch (const timed_out&) {
                    late = true;
                }
                EXPECT_TRUE(late);
            },
            &at);
        const result r = co_await at.query("select count(*) from things");
        EXPECT_EQ(r.scalar<int>(), 1);
    });
}

task<void> short_ones(database& at, int count, int& good) {
    for (int i = 0; i < count; ++i) {
        const result r = co_await at.query("select $1 + 0", i);
        good += r.scalar<int>() == i;
        const std::uint64_t changed = co_await at.execute("insert into things values ($1)", i);
        good += changed == 1;
    }
}

task<void> stopped_again_and_again(database& at, int count, bool writes) {
    for (int i = 0; i < count; ++i) {
        try {
            co_await with_timeout(std::chrono::microseconds(100 + 37 * (i % 40)), run_long(at, writes));
            ADD_FAILURE() << "it came to its end";
        } catch (const timed_out&) {
        }
    }
}

// The files go from hand to hand: what stops one statement must not hit the next on the same file.
TEST_F(sqlite_file, a_cancellation_hits_its_own_statement_only) {
    int good = 0;
    with_file(
        [&good](database& at) {
            return [](database& of, int& sum) -> task<void> {
                co_await when_all(short_ones(of, 200, sum), short_ones(of, 200, sum),
                                  stopped_again_and_again(of, 200, false), stopped_again_and_again(of, 100, true));
            }(at, good);
        },
        {.connections = 2});
    EXPECT_EQ(good, 800);
}

// ---- what nobody waits for any more ----

task<void> one_of_many_things(database& at, unsigned kind) {
    switch (kind % 4) {
        case 0: {
            (void)co_await at.query(
                "with recursive n(i) as (select 1 union all select i + 1 from n where i < $1) "
                "select sum(i) from n",
                static_cast<int>(kind % 20'000));
            break;
        }
        case 1: {
            co_await at.transaction([](transaction& tx) -> task<void> {
                (void)co_await tx.execute("insert into things values (1)");
                (void)co_await tx.query("select count(*) from things");
                throw std::runtime_error("never committed");
            });
            break;
        }
        case 2: {
            auto rows = at.stream<int>(
                "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) select i from n");
            for (unsigned i = 0; i < kind % 1200; ++i) {
                const int* row = co_await rows.next();
                if (!row) break;
            }
            break;
        }
        default: {
            const result r = co_await at.query("select $1", static_cast<int>(kind));
            if (r.scalar<int>() != static_cast<int>(kind)) ADD_FAILURE() << "the answer to another question";
        }
    }
}

TEST_F(sqlite_file, ten_thousand_cancellations_leave_nothing_behind) {
    const std::size_t before = open_descriptors();
    with_file(
        [](database& at) -> task<void> {
            std::vector<task<void>> all;
            for (unsigned seed = 1; seed <= 40; ++seed)
                all.push_back(cancelled_at_random(at, seed, one_of_many_things));
            co_await when_all(std::move(all));
            for (;;) {
                const status s = co_await at.now();
                if (s.running == 0 && s.waiting == 0 && s.idle == s.connections) break;
                co_await sleep(5ms);
            }
            const result left = co_await at.query("select count(*) from things");
            EXPECT_EQ(left.scalar<int>(), 0);
        },
        {.connections = 6});
    EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace rondo::db::sqlite
