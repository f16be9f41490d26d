// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/database.hpp>

#include <cmath>
#include <limits>
#include <random>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include <rondo/coro/blocking_wait.hpp>
#include <rondo/coro/when_all.hpp>
#include <rondo/db/databases_fixture.hpp>

namespace rondo::db {

struct thing {
    int id = 0;
    std::string name;
    std::optional<double> weight;
    friend bool operator==(const thing&, const thing&) = default;
};
RONDO_DESCRIBE(thing, id, name, weight);

namespace {

using namespace std::chrono_literals;

INSTANTIATE_TEST_SUITE_P(db, EveryDatabase, ::testing::Values("postgres", "sqlite", "memory"),
                         [](const auto& which) { return std::string(which.param); });

task<void> make_things(database& db) {
    co_await db.execute_script(
        "create table things (id integer primary key, name text not null unique, weight double precision);"
        "insert into things values (1, 'one', 1.5), (2, 'two', null), (3, 'three', 3.25)");
}

TEST_P(EveryDatabase, reads_rows_into_structs_tuples_and_values) {
    with_database([](database& db) -> task<void> {
        co_await make_things(db);
        const result all = co_await db.query("select id, name, weight from things order by id");
        EXPECT_EQ(all.size(), 3U);
        EXPECT_EQ(all.columns(), 3U);
        EXPECT_EQ(all.name(1), "name");
        EXPECT_EQ(all.as<thing>(), (std::vector<thing>{{1, "one", 1.5}, {2, "two", std::nullopt}, {3, "three", 3.25}}));
        EXPECT_EQ((all.as<std::tuple<int, std::string, std::optional<double>>>()[2]),
                  (std::tuple<int, std::string, std::optional<double>>(3, "three", 3.25)));
        EXPECT_EQ(all[1].value<std::string_view>("name"), "two");
        EXPECT_TRUE(all[1].is_null("weight"));
        int sum = 0;
        for (const row r : all) sum += r.value<int>(0);
        EXPECT_EQ(sum, 6);

        const result one = co_await db.query("select name from things where id = $1", 2);
        EXPECT_EQ(one.scalar<std::string>(), "two");
        EXPECT_EQ(one.one<std::tuple<std::string>>(), std::tuple<std::string>("two"));
        const result none = co_await db.query("select id, name, weight from things where id = $1", 99);
        EXPECT_TRUE(none.empty());
        EXPECT_EQ(none.optional<thing>(), std::nullopt);
        const result weight = co_await db.query("select weight from things where id = $1", 2);
        EXPECT_EQ(weight.scalar<std::optional<double>>(), std::nullopt);
    });
}

TEST_P(EveryDatabase, explains_a_mismatch_of_result_and_type) {
    with_database([](database& db) -> task<void> {
        co_await make_things(db);
        const result all = co_await db.query("select id, name, weight from things order by id");
        const auto mismatch = [](auto&& f) -> std::string {
            try {
                (void)f();
            } catch (const result_mismatch& e) {
                return e.what();
            }
            return "nothing was thrown";
        };
        EXPECT_EQ(mismatch([&] { return all.one<thing>(); }), "the statement returned 3 rows; expected exactly one");
        EXPECT_EQ(mismatch([&] { return all.optional<thing>(); }),
                  "the statement returned 3 rows; expected at most one");
        EXPECT_EQ(mismatch([&] { return all.as<int>(); }),
                  "the result has 3 columns (id, name, weight) but is read into one value");
        EXPECT_EQ(
            mismatch([&] { return all[0].value<int>("size"); }),
            "the result has no column 'size', only: id, name, weight; select it, or rename a column with 'as size'");
        EXPECT_EQ(mismatch([&] { return all[0].value<int>("name"); }),
                  "column 'name', row 1: 'one' is not an integer in range");
        EXPECT_EQ(mismatch([&] { return all[1].value<double>("weight"); }),
                  "column 'weight', row 2: the value is null; read it into a std::optional");
    });
}

TEST_P(EveryDatabase, round_trips_every_kind_of_parameter) {
    const bool postgres = this->is_postgres();
    with_database([postgres](database& db) -> task<void> {
        co_await db.execute_script(
            postgres ? "create table things (i bigint, r double precision, b boolean, t text, y bytea, "
                       "w timestamptz, n numeric, j jsonb)"
                     : "create table things (i integer, r real, b integer, t text, y blob, w text, n text, "
                       "j text)");
        const std::vector<std::byte> bytes{std::byte{0}, std::byte{255}, std::byte{'\''}, std::byte{92}};
        const std::string text = "it's \"quoted\" \\ \xc3\xa4 $1 \n\t;--";
        const auto when = std::chrono::sys_days(std::chrono::year(2026) / 1 / 31) + 12h + 34min + 56s + 789123us;
        codec::json_value json =
            codec::json_value::object({{"a", 1}, {"b", codec::json_value::array({true, nullptr})}});
        const std::uint64_t changed = co_await db.execute("insert into things values ($1, $2, $3, $4, $5, $6, $7, $8)",
                                                          std::numeric_limits<std::int64_t>::min(), 0.1, true, text,
                                                          bytes, when, "12345678901234567890.123456789", json);
        EXPECT_EQ(changed, 1U);
        const result r = co_await db.query("select * from things where t = $1 and i < $2", text, 5);
        EXPECT_EQ(r.size(), 1U);
        const row got = r[0];
        EXPECT_EQ(got.value<std::int64_t>("i"), std::numeric_limits<std::int64_t>::min());
        EXPECT_EQ(got.value<double>("r"), 0.1);
        EXPECT_TRUE(got.value<bool>("b"));
        EXPECT_EQ(got.value<std::string>("t"), text);
        EXPECT_EQ(got.value<std::vector<std::byte>>("y"), bytes);
        EXPECT_EQ(got.value<time_point>("w"), when);
        EXPECT_EQ(got.value<std::string>("n"), "12345678901234567890.123456789");
        EXPECT_EQ(got.value<codec::json_value>("j"), json);

        (void)co_await db.execute("delete from things");
        std::optional<std::string> nothing;
        (void)co_await db.execute("insert into things (i, t, b) values ($1, $2, $3)", nullptr, nothing, std::nullopt);
        const result nulls = co_await db.query("select i, t, b from things");
        EXPECT_TRUE(nulls[0].is_null("i") && nulls[0].is_null("t") && nulls[0].is_null("b"));
    });
}

TEST_P(EveryDatabase, round_trips_arrays) {
    const bool postgres = this->is_postgres();
    with_database([postgres](database& db) -> task<void> {
        co_await make_things(db);
        const std::vector<int> ids{3, 1};
        const std::vector<std::string> words{"plain", "", "with, comma", "\"q\\uote\"", "NULL", "{}"};
        const std::vector<std::optional<int>> holes{1, std::nullopt};
        if (postgres) {
            const result some = co_await db.query("select name from things where id = any($1) order by id", ids);
            EXPECT_EQ(some.as<std::string>(), (std::vector<std::string>{"one", "three"}));
            const result back =
                co_await db.query("select $1::text[], $2::int[], $3::int[]", words, holes, std::vector<int>());
            EXPECT_EQ(back[0].value<std::vector<std::string>>(0), words);
            EXPECT_EQ(back[0].value<std::vector<std::optional<int>>>(1), holes);
            EXPECT_TRUE(back[0].value<std::vector<int>>(2).empty());
        } else {
            const result some = co_await db.query(
                "select name from things where id in (select value from json_each($1)) order by id", ids);
            EXPECT_EQ(some.as<std::string>(), (std::vector<std::string>{"one", "three"}));
            const result back = co_await db.query("select $1, $2", words, holes);
            EXPECT_EQ(back[0].value<std::vector<std::string>>(0), words);
            EXPECT_EQ(back[0].value<std::vector<std::optional<int>>>(1), holes);
        }
    });
}

TEST_P(EveryDatabase, binds_parameters_by_number) {
    with_database([](database& db) -> task<void> {
        const result r = co_await db.query("select cast($2 as text) || cast($1 as text) || cast($2 as text)", "a", "b");
        EXPECT_EQ(r.scalar<std::string>(), "bab");
    });
}

TEST_P(EveryDatabase, errors_have_code_statement_and_constraint) {
    const bool postgres = this->is_postgres();
    with_database([postgres](database& db) -> task<void> {
        co_await make_things(db);
        bool thrown = false;
        try {
            (void)co_await db.execute("insert into things values (9, $1, 0)", "one");
        } catch (const unique_violation& e) {
            thrown = true;
            EXPECT_EQ(e.code(), postgres ? "23505" : "SQLITE_CONSTRAINT_UNIQUE");
            EXPECT_EQ(e.statement(), "insert into things values (9, $1, 0)");
            EXPECT_NE(e.constraint().find("name"), std::string::npos) << e.constraint();
        }
        EXPECT_TRUE(thrown);
        thrown = false;
        try {
            (void)co_await db.query("select * from nothing_there");
        } catch (const error& e) {
            thrown = true;
            EXPECT_NE(std::string(e.what()).find("nothing_there"), std::string::npos) << e.what();
            EXPECT_NE(std::string(e.what()).find("migration"), std::string::npos) << e.what();
        }
        EXPECT_TRUE(thrown);
        EXPECT_THROW((void)co_await db.query("select $1, $2", 1), error);
        EXPECT_THROW((void)co_await db.execute("insert into things values (10, $1, 0)", nullptr), constraint_violation);
        // The connection still works.
        const result count = co_await db.query("select count(*) from things");
        EXPECT_EQ(count.scalar<int>(), 3);
    });
}

TEST_P(EveryDatabase, runs_statements_built_at_run_time) {
    with_database([](database& db) -> task<void> {
        co_await make_things(db);
        for (const char* column : {"id", "name"}) {
            dynamic_sql sql("select id from things order by " + std::string(column));
            const result r = co_await db.query(std::move(sql));
            EXPECT_EQ(r[1].value<int>(0), column[0] == 'i' ? 2 : 3);
        }
    });
}

task<int> number(database& db, int n) {
    const result r = co_await db.query("select cast($1 as integer) + 1", n);
    co_return r.scalar<int>();
}

TEST_P(EveryDatabase, runs_many_concurrent_statements) {
    with_database(
        [](database& db) -> task<void> {
            std::vector<task<int>> all;
            for (int i = 0; i < 2000; ++i) all.push_back(number(db, i));
            const std::vector<int> got = co_await when_all(std::move(all));
            for (int i = 0; i < 2000; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i + 1);
            // A thread of SQLite counts as running for a moment after it delivered its result.
            database_stats s = co_await db.stats();
            for (const instant end = from_now(10s); s.running > 0 && clock::now() < end;) {
                co_await sleep(1ms);
                s = co_await db.stats();
            }
            EXPECT_LE(s.connections, 3U);
            EXPECT_EQ(s.running, 0U);
            EXPECT_EQ(s.waiting, 0U);
        },
        {.max_connections = 3});
}

TEST_P(EveryDatabase, serves_threads_without_a_loop) {
    database db(url());
    db.execute_script_sync("drop table if exists things; create table things (n integer)");
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&db] {
            for (int i = 0; i < 50; ++i) db.execute_sync("insert into things values ($1)", i);
        });
    }
    for (std::thread& t : threads) t.join();
    EXPECT_EQ(db.query_sync("select count(*) from things").scalar<int>(), 200);
    EXPECT_THROW(db.query_sync("select nothing from nowhere"), error);
}

// A statement that runs for at least a minute.
result run_endless_query(database& db) {
    if (db.kind() == database_kind::postgres) return db.query_sync("select pg_sleep(60)");
    return db.query_sync("with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n");
}

// As in a worker, after a hook of the arbiter used the database.
TEST_P(EveryDatabase, reconnects_after_fork) {
    database db(url(), {.max_connections = 2});
    db.execute_script_sync(
        "drop table if exists things; create table things (n integer); insert into things values (1)");
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(30);
        int status = 1;
        {
            database mine(url());
            mine.open_sync();
            db.open_sync();
            if (std::string_view(GetParam()) == "memory") status = db.query_sync("select 1").scalar<int>() == 1 ? 0 : 2;
            else status = db.query_sync("select count(*) from things").scalar<int>() == 1 ? 0 : 3;
        }
        ::_exit(status);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(db.query_sync("select count(*) from things").scalar<int>(), 1)
        << "the connections of the parent are broken";
}

TEST_P(EveryDatabase, cancels_blocking_calls_with_the_context_of_the_thread) {
    database db(url(), {.max_connections = 2});
    db.execute_script_sync("drop table if exists things; create table things (n integer)");
    task_context late;
    late.deadline = from_now(20ms);
    {
        const blocking_scope scope(&late);
        EXPECT_THROW((void)run_endless_query(db), cancelled);
        EXPECT_THROW((void)db.execute_sync("insert into things values (1)"), cancelled) << "the deadline has passed";
    }
    for (int i = 0; i < 20; ++i) {
        task_context disconnected;
        std::thread other([&disconnected, i] {
            std::this_thread::sleep_for(std::chrono::microseconds(200 * i));
            disconnected.cancel.request(cancel_reason::disconnected);
        });
        const blocking_scope scope(&disconnected);
        try {
            (void)run_endless_query(db);
            ADD_FAILURE() << "the statement ended";
        } catch (const cancelled& c) {
            EXPECT_EQ(c.reason, cancel_reason::disconnected);
        }
        other.join();
    }
    EXPECT_EQ(db.query_sync("select count(*) from things").scalar<int>(), 0);
}

// Threads of views whose clients disconnect at any moment.
TEST_P(EveryDatabase, survives_random_cancellation_of_blocking_calls) {
    if (std::string_view(GetParam()) == "memory") return;
    database db(url(), {.max_connections = 3});
    db.execute_script_sync("drop table if exists things; create table things (n integer)");
    std::vector<std::jthread> views;
    for (unsigned seed = 1; seed <= 4; ++seed) {
        views.emplace_back([&db, seed] {
            std::minstd_rand random(seed);
            for (int i = 0; i < 100; ++i) {
                task_context in;
                std::jthread client([&in, after = random() % 1500] {
                    std::this_thread::sleep_for(std::chrono::microseconds(after));
                    in.cancel.request(cancel_reason::disconnected);
                });
                const blocking_scope scope(&in);
                try {
                    if (i % 3 == 0) (void)run_endless_query(db);
                    EXPECT_EQ(db.query_sync("select $1 + 0", i).scalar<int>(), i);
                    db.transaction_sync([i](sync_transaction& tx) {
                        tx.execute("insert into things values ($1)", i);
                        tx.execute("delete from things");
                    });
                } catch (const cancelled&) {
                }
            }
        });
    }
    views.clear();
    EXPECT_EQ(db.query_sync("select count(*) from things").scalar<int>(), 0);
}

TEST_P(EveryDatabase, commits_or_rolls_back_a_cancelled_blocking_transaction) {
    database db(url(), {.max_connections = 2});
    db.execute_script_sync("drop table if exists things; create table things (n integer)");
    task_context disconnected;
    const blocking_scope scope(&disconnected);
    EXPECT_THROW(db.transaction_sync([&](sync_transaction& tx) {
        tx.execute("insert into things values (1)");
        disconnected.cancel.cancel(cancel_reason::disconnected);
        tx.execute("insert into things values (2)");
    }),
                 cancelled);
    task_context cancelled_late;
    {
        const blocking_scope unbounded(nullptr);
        const blocking_scope other(&cancelled_late);
        db.transaction_sync([&](sync_transaction& tx) {
            tx.execute("insert into things values (3)");
            cancelled_late.cancel.cancel(cancel_reason::disconnected);  // too late: COMMIT follows
        });
    }
    const blocking_scope unbounded(nullptr);
    EXPECT_EQ(db.query_sync("select n from things").scalar<int>(), 3);
}

TEST_P(EveryDatabase, rejects_blocking_calls_on_a_loop_thread) {
    with_database([](database& db) -> task<void> {
        try {
            db.query_sync("select 1");
            ADD_FAILURE() << "nothing was thrown";
        } catch (const synchronous_only& e) {
            EXPECT_NE(std::string(e.what()).find("database::query_sync"), std::string::npos) << e.what();
            EXPECT_NE(std::string(e.what()).find("co_await"), std::string::npos) << e.what();
        }
        co_return;
    });
}

}  // namespace
}  // namespace rondo::db
