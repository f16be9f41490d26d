// SPDX-License-Identifier: Apache-2.0
#include <random>
#include <thread>

#include <rondo/coro/event.hpp>
#include <rondo/coro/task_group.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/db/databases_fixture.hpp>
#include <rondo/db/postgres/server_fixture.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::db::postgres {
namespace {

using namespace std::chrono_literals;

template <class Body>
void with_server(Body body, options limits = {}) {
    event_loop loop;
    database db(test_server::shared().url(), limits);
    loop.run_until(open_and_run(db, std::move(body)));
}

// Number of active statements in the server that match, except this one.
task<int> count_running(database& monitor, std::string text) {
    const result r = co_await monitor.query(
        "select count(*) from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()",
        text);
    co_return r.scalar<int>();
}

task<void> wait_until_running(database& monitor, std::string text, int wanted) {
    for (;;) {
        const int now = co_await count_running(monitor, text);
        if (now == wanted) break;
        co_await sleep(5ms);
    }
}

TEST(Postgres, cancels_the_statement_in_the_server) {
    with_server([](database& db) -> task<void> {
        database monitor(test_server::shared().url());
        task_group group(co_await this_context());
        group.spawn(sleep_in_database(db));
        co_await wait_until_running(monitor, "select pg_sleep(60)%", 1);
        group.cancel();
        co_await group.join();
        co_await wait_until_running(monitor, "select pg_sleep(60)%", 0);
        const result r = co_await db.query("select 1");
        EXPECT_EQ(r.scalar<int>(), 1);
        co_await monitor.close();
    });
}

TEST(Postgres, cancels_the_statement_at_the_deadline) {
    with_server([](database& db) -> task<void> {
        database monitor(test_server::shared().url());
        bool late = false;
        try {
            co_await with_timeout(100ms, sleep_in_database(db));
        } catch (const timed_out&) {
            late = true;
        }
        EXPECT_TRUE(late);
        co_await wait_until_running(monitor, "select pg_sleep(60)%", 0);
        co_await monitor.close();
    });
}

// The server enforces the deadline too: it ends the statement even without a cancel request.
TEST(Postgres, sets_statement_timeout_from_the_deadline) {
    with_server([](database& db) -> task<void> {
        task_context* in = co_await this_context();
        in->deadline = from_now(20s);
        const std::string limit = co_await db.transaction([](transaction& tx) -> task<std::string> {
            const result r = co_await tx.query("select setting from pg_settings where name = 'statement_timeout'");
            co_return r.scalar<std::string>();
        });
        EXPECT_GT(std::stoi(limit), 10000);
        EXPECT_LE(std::stoi(limit), 21000);
        in->deadline = instant::max();
    });
}

// ---- transaction options ----

task<std::string> transaction_mode(database& db, transaction_options options) {
    co_return co_await db.transaction_with(options, [](transaction& tx) -> task<std::string> {
        const result r = co_await tx.query(
            "select current_setting('transaction_isolation') || ', read only ' || "
            "current_setting('transaction_read_only')");
        co_return r.scalar<std::string>();
    });
}

TEST(Postgres, transactions_have_the_requested_isolation_level) {
    with_server(
        [](database& db) -> task<void> {
            const std::pair<isolation_level, std::string> levels[] = {
                {isolation_level::read_committed, "read committed"},
                {isolation_level::repeatable_read, "repeatable read"},
                {isolation_level::serializable, "serializable"},
                {isolation_level::server_default, "read committed"}};
            for (const auto& [level, name] : levels) {
                for (const bool read_only : {true, false}) {
                    const transaction_options options{.isolation = level, .read_only = read_only};
                    const std::string mode = co_await transaction_mode(db, options);
                    EXPECT_EQ(mode, name + (read_only ? ", read only on" : ", read only off"));
                }
            }
        },
        {.max_connections = 1});
}

TEST(Postgres, read_only_transactions_reject_writes) {
    with_server(
        [](database& db) -> task<void> {
            co_await db.execute_script("drop table if exists protected_things; create table protected_things (n int)");
            const transaction_options options{.read_only = true};
            std::string code;
            try {
                co_await db.transaction_with(options, [](transaction& tx) -> task<void> {
                    (void)co_await tx.execute("insert into protected_things values (1)");
                });
            } catch (const error& e) {
                code = e.code();
            }
            EXPECT_EQ(code, "25006");
            // The mode ends with the transaction.
            EXPECT_EQ(co_await db.execute("insert into protected_things values (2)"), 1U);
            const result r = co_await db.query("select n from protected_things");
            EXPECT_EQ(r.scalar<int>(), 2);
        },
        {.max_connections = 1});
}

// Both transactions read before the other one writes: write skew.
task<void> interleave_two_transactions(database& db, isolation_level level) {
    const transaction_options options{.isolation = level};
    co_await db.transaction_with(
        options,
        [](transaction& outer, database* target, transaction_options inner_options) -> task<void> {
            (void)co_await outer.query("select count(*) from skewed");
            co_await target->transaction_with(inner_options, [](transaction& inner) -> task<void> {
                (void)co_await inner.query("select count(*) from skewed");
                (void)co_await inner.execute("insert into skewed values (1)");
            });
            (void)co_await outer.execute("insert into skewed values (2)");
        },
        &db, options);
}

TEST(Postgres, serializable_transactions_conflict_on_write_skew) {
    with_server([](database& db) -> task<void> {
        co_await db.execute_script("drop table if exists skewed; create table skewed (n int)");
        std::string code;
        try {
            co_await interleave_two_transactions(db, isolation_level::serializable);
        } catch (const transaction_conflict& e) {
            code = e.code();
        }
        EXPECT_EQ(code, "40001");
        const result committed = co_await db.query("select n from skewed");
        EXPECT_EQ(committed.scalar<int>(), 1);
        co_await interleave_two_transactions(db, isolation_level::repeatable_read);
        const result all = co_await db.query("select count(*) from skewed");
        EXPECT_EQ(all.scalar<int>(), 3);
    });
}

// ---- pipelining ----

task<int> sleep_then(database& db, double seconds, int value) {
    const result r = co_await db.query("select $2::int from pg_sleep($1)", seconds, value);
    co_return r.scalar<int>();
}

// Two statements on one connection: cancelling the first must not cancel the second.
TEST(Postgres, does_not_cancel_the_next_statement_on_the_connection) {
    with_server(
        [](database& db) -> task<void> {
            const result warm = co_await db.query("select 1");
            EXPECT_EQ(warm.size(), 1U);
            for (int i = 0; i < 20; ++i) {
                task_group group(co_await this_context());
                group.spawn(
                    with_timeout(10s, [](database& d) -> task<void> { (void)co_await sleep_then(d, 0.06, 1); }(db)));
                task<int> behind = sleep_then(db, 0.01, i);
                group.cancel();
                EXPECT_EQ(co_await std::move(behind), i);
                co_await group.join();
            }
        },
        {.max_connections = 1});
}

TEST(Postgres, isolates_failures_of_pipelined_statements) {
    with_server(
        [](database& db) -> task<void> {
            std::vector<task<int>> all;
            const auto one = [](database& d, int i) -> task<int> {
                int got = 0;
                try {
                    const result r = co_await d.query("select 12 / $1::int", i % 4);
                    got = r.scalar<int>();
                } catch (const error& e) {
                    got = e.code() == "22012" ? -1 : -2;
                }
                co_return got;
            };
            for (int i = 0; i < 200; ++i) all.push_back(one(db, i));
            const std::vector<int> got = co_await when_all(std::move(all));
            for (std::size_t i = 0; i < got.size(); ++i)
                EXPECT_EQ(got[i], i % 4 == 0 ? -1 : 12 / static_cast<int>(i % 4));
        },
        {.max_connections = 2});
}

TEST(Postgres, prepares_stale_statements_again) {
    with_server(
        [](database& db) -> task<void> {
            co_await db.execute_script(
                "drop table if exists changing; create table changing (a int); insert into changing values (1)");
            const result before = co_await db.query("select * from changing");
            EXPECT_EQ(before.columns(), 1U);
            co_await db.execute_script("alter table changing add b int");
            const result after = co_await db.query("select * from changing");
            EXPECT_EQ(after.columns(), 2U);
            co_await db.execute_script("deallocate all");
            const result again = co_await db.query("select * from changing");
            EXPECT_EQ(again.columns(), 2U);
        },
        {.max_connections = 1});
}

TEST(Postgres, bounds_prepared_statements) {
    with_server(
        [](database& db) -> task<void> {
            for (int i = 0; i < 50; ++i) {
                dynamic_sql sql("select " + std::to_string(i));
                const result r = co_await db.query(std::move(sql));
                EXPECT_EQ(r.scalar<int>(), i);
            }
            const result r = co_await db.query("select count(*) from pg_prepared_statements");
            EXPECT_LE(r.scalar<int>(), 10);
        },
        {.max_connections = 1, .statement_cache_size = 10});
}

TEST(Postgres, works_without_prepared_statements) {
    with_server(
        [](database& db) -> task<void> {
            const result r = co_await db.query("select count(*) from pg_prepared_statements where 1 = $1", 1);
            EXPECT_EQ(r.scalar<int>(), 0);
        },
        {.max_connections = 1, .statement_cache_size = 0});
}

TEST(Postgres, bounds_the_wait_for_a_connection) {
    with_server(
        [](database& db) -> task<void> {
            task_group group(co_await this_context());
            group.spawn(sleep_in_database(db));
            co_await sleep(100ms);  // statements are not queued behind a slow one
            bool busy = false;
            try {
                (void)co_await db.query("select 1");
            } catch (const pool_exhausted& e) {
                busy = true;
                EXPECT_NE(std::string(e.what()).find("all 1 are busy"), std::string::npos) << e.what();
            }
            EXPECT_TRUE(busy);
            group.cancel();
            co_await group.join();
            const result r = co_await db.query("select 1");
            EXPECT_EQ(r.size(), 1U);
        },
        {.max_connections = 1, .acquire_timeout = 200ms});
}

TEST(Postgres, closes_idle_connections) {
    with_server(
        [](database& db) -> task<void> {
            std::vector<task<int>> all;
            for (int i = 0; i < 5; ++i) all.push_back(sleep_then(db, 0.05, i));
            (void)co_await when_all(std::move(all));
            for (;;) {
                const database_stats s = co_await db.stats();
                if (s.connections == 0) break;
                co_await sleep(20ms);
            }
            const result r = co_await db.query("select 1");
            EXPECT_EQ(r.size(), 1U);
        },
        {.max_connections = 5, .idle_timeout = 200ms});
}

async_generator<std::string> copy_lines(int count) {
    std::string piece;
    for (int i = 0; i < count; ++i) {
        piece += std::to_string(i) + "\tname " + std::to_string(i) + "\n";
        if (piece.size() < 10000) continue;
        co_yield std::move(piece);
        piece.clear();
    }
    co_yield std::move(piece);
}

TEST(Postgres, copies_in_and_out) {
    with_server([](database& db) -> task<void> {
        co_await db.execute_script("drop table if exists copied; create table copied (id int, name text)");
        EXPECT_EQ(co_await db.copy_in("copy copied from stdin", copy_lines(20000)), 20000U);
        const result sum = co_await db.query("select sum(id) from copied");
        EXPECT_EQ(sum.scalar<int>(), 199990000);
        auto out = db.copy_out("copy (select id from copied order by id) to stdout");
        int rows = 0;
        for (;;) {
            const std::string* row = co_await out.next();
            if (!row) break;
            EXPECT_EQ(*row, std::to_string(rows++) + "\n");
        }
        EXPECT_EQ(rows, 20000);
        bool thrown = false;
        try {
            (void)co_await db.copy_in("copy copied (id) from stdin", copy_lines(3));
        } catch (const error& e) {
            thrown = e.code() == "22P04";
        }
        EXPECT_TRUE(thrown);
        EXPECT_THROW((void)co_await db.copy_in("select 1", copy_lines(3)), error);
        const result after = co_await db.query("select count(*) from copied");
        EXPECT_EQ(after.scalar<int>(), 20000);
    });
}

task<void> collect_notifications(database& db, std::vector<notification>& got, event& first) {
    auto messages = db.listen("news of \"today\"");
    for (;;) {
        notification* n = co_await messages.next();
        got.push_back(*n);
        first.set();
    }
}

TEST(Postgres, listens_and_reconnects) {
    with_server([](database& db) -> task<void> {
        std::vector<notification> got;
        event first;
        task_group group(co_await this_context());
        group.spawn(collect_notifications(db, got, first));
        while (!first.is_set()) {
            (void)co_await db.query("select pg_notify('news of \"today\"', 'hello')");
            co_await sleep(5ms);
        }
        EXPECT_EQ(got[0].payload, "hello");
        EXPECT_EQ(got[0].channel, "news of \"today\"");
        // Terminate its connection: it reconnects and reports that.
        (void)co_await db.query("select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen %'");
        while (!got.back().missed) co_await sleep(5ms);
        while (got.back().payload != "again") {
            (void)co_await db.query("select pg_notify('news of \"today\"', 'again')");
            co_await sleep(5ms);
        }
        group.cancel();
        co_await group.join();
    });
}

TEST(Postgres, explains_bad_urls) {
    const auto open_error = [](const std::string& url) -> std::string {
        try {
            database db(url, {.acquire_timeout = 500ms});
            db.open_sync();
            return "it opened";
        } catch (const std::exception& e) {
            return e.what();
        }
    };
    const std::string url = test_server::shared().url();
    EXPECT_NE(open_error("mysql://x").find("unknown scheme"), std::string::npos);
    EXPECT_NE(open_error("").find("empty database URL"), std::string::npos);
    EXPECT_NE(open_error("postgres:x").find("no '//' after the scheme"), std::string::npos);
    EXPECT_NE(open_error("postgres://h/d?no_such_option=1").find("invalid PostgreSQL URL"), std::string::npos);
    EXPECT_NE(open_error("sqlite:").find("no file name"), std::string::npos);
    EXPECT_NE(open_error("sqlite:/nowhere/at/all.db").find("cannot open the SQLite file"), std::string::npos);
    EXPECT_NE(open_error("postgres://u:p@127.0.0.1:1/d").find("start PostgreSQL, or correct host and port"),
              std::string::npos);
    EXPECT_EQ(open_error("postgres://u:secret@127.0.0.1:1/d").find("secret"), std::string::npos);
    EXPECT_EQ(open_error("postgres://u:secret%zz@127.0.0.1:1/d").find("secret"), std::string::npos);
    EXPECT_EQ(open_error("postgres://127.0.0.1:1/d?password=secret").find("secret"), std::string::npos);
    for (const char* shows_none :
         {"postgres://u:a'secret@127.0.0.1:1/d", "postgres://u:\"secret@127.0.0.1:1/d",
          "postgres://u:a secret@127.0.0.1:1/d", "postgres://u:a<secret@127.0.0.1:1/d",
          "postgres://u:a/secret@127.0.0.1:1/d", "postgres://u:\"secret/x@127.0.0.1:1/d",
          "postgres://u:secret%20x/y@127.0.0.1:1/d", "postgres://u:x@y' secret@127.0.0.1:1/d",
          "postgres://127.0.0.1:1/d?password='secret'", "postgres://127.0.0.1:1/d?password=x&secret",
          "postgres://[127.0.0.1\"x?password=secret", "postgres://127.0.0.1:1/d?password=\"x&\"secret\"",
          "//u:secret@h", "u:secret@h/d", "postgres:/u:secret@h"})
        EXPECT_EQ(open_error(shows_none).find("secret"), std::string::npos) << open_error(shows_none);
    for (const char* wrong : {"postgres://127.0.0.1:abc/d", "postgres://127.0.0.1:1/d?sslmode=sometimes"})
        EXPECT_NE(open_error(wrong).find("correct this option in the database URL"), std::string::npos)
            << open_error(wrong);
    EXPECT_NE(open_error("postgres://no-such-host.invalid/d").find("correct the host"), std::string::npos);
    EXPECT_NE(open_error(test_server::shared().url_for("nothing")).find("createdb"), std::string::npos);
    {
        database db(url);
        db.execute_script_sync("drop role if exists guarded; create role guarded login password 'right'");
    }
    std::string guarded = url;
    guarded.replace(guarded.find("postgres@"), 9, "guarded:wrong@");
    EXPECT_NE(open_error(guarded).find("correct the user or the password"), std::string::npos) << open_error(guarded);
    guarded.replace(guarded.find("wrong"), 5, "right");
    EXPECT_EQ(open_error(guarded), "it opened");
}

// ---- cancellation at random ----

task<void> run_random_operation(database& db, unsigned kind) {
    switch (kind % 5) {
        case 0: {
            (void)co_await db.query("select pg_sleep($1)", 0.001 * (kind % 7));
            break;
        }
        case 1: {
            (void)co_await db.query("select generate_series(1, $1::int)", static_cast<int>(kind % 300));
            break;
        }
        case 2: {
            co_await db.transaction([](transaction& tx) -> task<void> {
                (void)co_await tx.execute("insert into cancelled_things values (1)");
                (void)co_await tx.query("select pg_sleep(0.001)");
                throw std::runtime_error("never committed");
            });
            break;
        }
        case 3: {
            auto rows = db.stream<int>("select generate_series(1, 1000)");
            for (unsigned i = 0; i < kind % 1200; ++i) {
                const int* row = co_await rows.next();
                if (!row) break;
            }
            break;
        }
        default: {
            const result r = co_await db.query("select $1::int", static_cast<int>(kind));
            if (r.scalar<int>() != static_cast<int>(kind)) ADD_FAILURE() << "the result of another statement";
        }
    }
}

TEST(Postgres, leaks_nothing_after_ten_thousand_cancellations) {
    const std::size_t before = open_fd_count();
    with_server(
        [](database& db) -> task<void> {
            co_await db.execute_script("drop table if exists cancelled_things; create table cancelled_things (n int)");
            std::vector<task<void>> all;
            for (unsigned seed = 1; seed <= 40; ++seed) all.push_back(cancel_at_random(db, seed, run_random_operation));
            co_await when_all(std::move(all));
            for (;;) {
                const database_stats s = co_await db.stats();
                if (s.leased == 0 && s.running == 0 && s.waiting == 0) break;
                co_await sleep(10ms);
            }
            const result left = co_await db.query("select count(*) from cancelled_things");
            EXPECT_EQ(left.scalar<int>(), 0);
            const result open = co_await db.query(
                "select count(*) from pg_stat_activity where datname = 'postgres' and pid <> pg_backend_pid() and "
                "(state = 'active' or state like 'idle in transaction%')");
            EXPECT_EQ(open.scalar<int>(), 0);
            const database_stats s = co_await db.stats();
            EXPECT_LE(s.connections, 8U);
        },
        {.max_connections = 8});
    EXPECT_EQ(open_fd_count(), before);
}

// ---- faults ----

struct tally {
    int good = 0;
    int lost = 0;
    int other = 0;
    bool stop = false;
};

task<void> query_repeatedly(database& db, tally& t) {
    while (!t.stop) {
        try {
            const result r = co_await db.query("select $1::int", 7);
            t.good += r.scalar<int>() == 7;
        } catch (const connection_lost&) {
            ++t.lost;
        } catch (const std::exception& e) {
            ++t.other;
            ADD_FAILURE() << e.what();
        }
        co_await sleep(1ms);
    }
}

task<void> wait_for_good(tally& t, int more) {
    for (const int from = t.good; t.good < from + more;) co_await sleep(5ms);
}

// In flight when the server stops: without it a restart may hit a moment in which no statement runs.
task<void> lose_a_long_statement(database& db, tally& t) {
    try {
        (void)co_await db.query("select pg_sleep(60)");
    } catch (const connection_lost&) {
        ++t.lost;
    }
}

TEST(Postgres, server_restart_loses_only_statements_in_flight) {
    with_server(
        [](database& db) -> task<void> {
            for (const char* method : {"stop", "kill"}) {
                tally t;
                task_group group(co_await this_context());
                for (int i = 0; i < 20; ++i) group.spawn(query_repeatedly(db, t));
                co_await wait_for_good(t, 100);
                group.spawn(lose_a_long_statement(db, t));
                co_await sleep(50ms);
                std::thread restart([method] {
                    test_server::shared().run_command(method);
                    test_server::shared().run_command("start");
                });
                auto join_restart = [&restart] { restart.join(); };
                while (t.good > 0 && t.lost == 0) co_await sleep(5ms);
                co_await wait_for_good(t, 200);
                join_restart();
                t.stop = true;
                co_await group.join();
                EXPECT_GT(t.lost, 0);
                EXPECT_LE(t.lost, 40) << method;  // each runs one statement at a time
                EXPECT_EQ(t.other, 0);
            }
        },
        {.max_connections = 5, .acquire_timeout = 30s});
}

TEST(Postgres, respects_deadlines_when_the_server_is_paused) {
    with_server([](database& db) -> task<void> {
        (void)co_await db.query("select 1");
        test_server::shared().run_command("pause");
        int late = 0;
        for (int i = 0; i < 3; ++i) {
            try {
                co_await with_timeout(50ms, run_allowing_abort(db, 4, run_random_operation));
            } catch (const timed_out&) {
                ++late;
            }
        }
        test_server::shared().run_command("resume");
        EXPECT_EQ(late, 3);
        const result r = co_await db.query("select 1");
        EXPECT_EQ(r.size(), 1U);
    });
}

TEST(Postgres, works_with_fewer_connections_when_the_server_is_full) {
    with_server(
        [](database& db) -> task<void> {
            // max_connections of the test server is 50.
            std::vector<task<int>> all;
            for (int i = 0; i < 200; ++i) all.push_back(sleep_then(db, 0.02, i));
            const std::vector<int> got = co_await when_all(std::move(all));
            EXPECT_EQ(got.back(), 199);
        },
        {.max_connections = 100});
}

}  // namespace
}  // namespace rondo::db::postgres
