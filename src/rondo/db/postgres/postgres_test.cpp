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
    database at(test_server::shared().url(), limits);
    loop.run_until(opened(at, std::move(body)));
}

// How many statements like this the server runs, but for the one that asks.
task<int> running(database& watcher, std::string text) {
    const result r = co_await watcher.query(
        "select count(*) from pg_stat_activity where state = 'active' and query like $1 and pid <> pg_backend_pid()",
        text);
    co_return r.scalar<int>();
}

task<void> until_running(database& watcher, std::string text, int wanted) {
    for (;;) {
        const int now = co_await running(watcher, text);
        if (now == wanted) break;
        co_await sleep(5ms);
    }
}

TEST(postgres, a_cancelled_statement_ends_in_the_database) {
    with_server([](database& at) -> task<void> {
        database watcher(test_server::shared().url());
        task_group group(co_await this_context());
        group.spawn(sleep_in_database(at));
        co_await until_running(watcher, "select pg_sleep(60)%", 1);
        group.cancel();
        co_await group.join();
        co_await until_running(watcher, "select pg_sleep(60)%", 0);
        const result r = co_await at.query("select 1");
        EXPECT_EQ(r.scalar<int>(), 1);
        co_await watcher.close();
    });
}

TEST(postgres, a_deadline_ends_the_statement) {
    with_server([](database& at) -> task<void> {
        database watcher(test_server::shared().url());
        bool late = false;
        try {
            co_await with_timeout(100ms, sleep_in_database(at));
        } catch (const timed_out&) {
            late = true;
        }
        EXPECT_TRUE(late);
        co_await until_running(watcher, "select pg_sleep(60)%", 0);
        co_await watcher.close();
    });
}

// The deadline is the server's limit too: it ends the statement even when nobody asks it to.
TEST(postgres, a_transaction_has_the_deadline_as_its_limit) {
    with_server([](database& at) -> task<void> {
        context* in = co_await this_context();
        in->deadline = from_now(20s);
        const std::string limit = co_await at.transaction([](transaction& tx) -> task<std::string> {
            const result r = co_await tx.query("select setting from pg_settings where name = 'statement_timeout'");
            co_return r.scalar<std::string>();
        });
        EXPECT_GT(std::stoi(limit), 10000);
        EXPECT_LE(std::stoi(limit), 21000);
        in->deadline = instant::max();
    });
}

task<int> sleep_then(database& at, double seconds, int value) {
    const result r = co_await at.query("select $2::int from pg_sleep($1)", seconds, value);
    co_return r.scalar<int>();
}

// Two statements on one connection: the one behind must not be hit by the cancellation of the one before it.
TEST(postgres, the_statement_behind_a_cancelled_one_is_not_hit) {
    with_server(
        [](database& at) -> task<void> {
            const result warm = co_await at.query("select 1");
            EXPECT_EQ(warm.size(), 1U);
            for (int i = 0; i < 20; ++i) {
                task_group group(co_await this_context());
                group.spawn(
                    with_timeout(10s, [](database& d) -> task<void> { (void)co_await sleep_then(d, 0.06, 1); }(at)));
                task<int> behind = sleep_then(at, 0.01, i);
                group.cancel();
                EXPECT_EQ(co_await std::move(behind), i);
                co_await group.join();
            }
        },
        {.connections = 1});
}

TEST(postgres, a_failure_concerns_nobody_else) {
    with_server(
        [](database& at) -> task<void> {
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
            for (int i = 0; i < 200; ++i) all.push_back(one(at, i));
            const std::vector<int> got = co_await when_all(std::move(all));
            for (std::size_t i = 0; i < got.size(); ++i)
                EXPECT_EQ(got[i], i % 4 == 0 ? -1 : 12 / static_cast<int>(i % 4));
        },
        {.connections = 2});
}

TEST(postgres, a_prepared_statement_out_of_date_is_made_again) {
    with_server(
        [](database& at) -> task<void> {
            co_await at.script(
                "drop table if exists changing; create table changing (a int); insert into changing values (1)");
            const result before = co_await at.query("select * from changing");
            EXPECT_EQ(before.columns(), 1U);
            co_await at.script("alter table changing add b int");
            const result after = co_await at.query("select * from changing");
            EXPECT_EQ(after.columns(), 2U);
            co_await at.script("deallocate all");
            const result again = co_await at.query("select * from changing");
            EXPECT_EQ(again.columns(), 2U);
        },
        {.connections = 1});
}

TEST(postgres, prepared_statements_are_bounded) {
    with_server(
        [](database& at) -> task<void> {
            for (int i = 0; i < 50; ++i) {
                dynamic_sql sql("select " + std::to_string(i));
                const result r = co_await at.query(std::move(sql));
                EXPECT_EQ(r.scalar<int>(), i);
            }
            const result r = co_await at.query("select count(*) from pg_prepared_statements");
            EXPECT_LE(r.scalar<int>(), 10);
        },
        {.connections = 1, .statements = 10});
}

TEST(postgres, without_prepared_statements) {
    with_server(
        [](database& at) -> task<void> {
            const result r = co_await at.query("select count(*) from pg_prepared_statements where 1 = $1", 1);
            EXPECT_EQ(r.scalar<int>(), 0);
        },
        {.connections = 1, .statements = 0});
}

TEST(postgres, the_wait_for_a_connection_is_bounded) {
    with_server(
        [](database& at) -> task<void> {
            task_group group(co_await this_context());
            group.spawn(sleep_in_database(at));
            co_await sleep(100ms);  // nothing is put behind what is slow
            bool busy = false;
            try {
                (void)co_await at.query("select 1");
            } catch (const too_busy& e) {
                busy = true;
                EXPECT_NE(std::string(e.what()).find("all 1 are busy"), std::string::npos) << e.what();
            }
            EXPECT_TRUE(busy);
            group.cancel();
            co_await group.join();
            const result r = co_await at.query("select 1");
            EXPECT_EQ(r.size(), 1U);
        },
        {.connections = 1, .wait = 200ms});
}

TEST(postgres, idle_connections_are_closed) {
    with_server(
        [](database& at) -> task<void> {
            std::vector<task<int>> all;
            for (int i = 0; i < 5; ++i) all.push_back(sleep_then(at, 0.05, i));
            (void)co_await when_all(std::move(all));
            for (;;) {
                const status s = co_await at.now();
                if (s.connections == 0) break;
                co_await sleep(20ms);
            }
            const result r = co_await at.query("select 1");
            EXPECT_EQ(r.size(), 1U);
        },
        {.connections = 5, .idle = 200ms});
}

async_generator<std::string> lines(int count) {
    std::string piece;
    for (int i = 0; i < count; ++i) {
        piece += std::to_string(i) + "\tname " + std::to_string(i) + "\n";
        if (piece.size() < 10000) continue;
        co_yield std::move(piece);
        piece.clear();
    }
    co_yield std::move(piece);
}

TEST(postgres, copy) {
    with_server([](database& at) -> task<void> {
        co_await at.script("drop table if exists copied; create table copied (id int, name text)");
        EXPECT_EQ(co_await at.copy_in("copy copied from stdin", lines(20000)), 20000U);
        const result sum = co_await at.query("select sum(id) from copied");
        EXPECT_EQ(sum.scalar<int>(), 199990000);
        auto out = at.copy_out("copy (select id from copied order by id) to stdout");
        int rows = 0;
        for (;;) {
            const std::string* row = co_await out.next();
            if (!row) break;
            EXPECT_EQ(*row, std::to_string(rows++) + "\n");
        }
        EXPECT_EQ(rows, 20000);
        bool thrown = false;
        try {
            (void)co_await at.copy_in("copy copied (id) from stdin", lines(3));
        } catch (const error& e) {
            thrown = e.code() == "22P04";
        }
        EXPECT_TRUE(thrown);
        EXPECT_THROW((void)co_await at.copy_in("select 1", lines(3)), error);
        const result after = co_await at.query("select count(*) from copied");
        EXPECT_EQ(after.scalar<int>(), 20000);
    });
}

task<void> note(database& at, std::vector<notification>& got, event& first) {
    auto messages = at.listen("news of \"today\"");
    for (;;) {
        notification* n = co_await messages.next();
        got.push_back(*n);
        first.set();
    }
}

TEST(postgres, listen_and_notify) {
    with_server([](database& at) -> task<void> {
        std::vector<notification> got;
        event first;
        task_group group(co_await this_context());
        group.spawn(note(at, got, first));
        while (!first.is_set()) {
            (void)co_await at.query("select pg_notify('news of \"today\"', 'hello')");
            co_await sleep(5ms);
        }
        EXPECT_EQ(got[0].payload, "hello");
        EXPECT_EQ(got[0].channel, "news of \"today\"");
        // Its connection is ended: it comes back by itself and says so.
        (void)co_await at.query("select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen %'");
        while (!got.back().missed) co_await sleep(5ms);
        while (got.back().payload != "again") {
            (void)co_await at.query("select pg_notify('news of \"today\"', 'again')");
            co_await sleep(5ms);
        }
        group.cancel();
        co_await group.join();
    });
}

TEST(postgres, what_is_wrong_with_the_url_is_said) {
    const auto sentence = [](const std::string& url) -> std::string {
        try {
            database at(url, {.wait = 500ms});
            at.open_sync();
            return "it opened";
        } catch (const std::exception& e) {
            return e.what();
        }
    };
    const std::string url = test_server::shared().url();
    EXPECT_NE(sentence("mysql://x").find("begins with none of the databases there are"), std::string::npos);
    EXPECT_NE(sentence("").find("the database URL is empty"), std::string::npos);
    EXPECT_NE(sentence("postgres:x").find("has no '//'"), std::string::npos);
    EXPECT_NE(sentence("postgres://h/d?no_such_option=1").find("is not one of PostgreSQL"), std::string::npos);
    EXPECT_NE(sentence("sqlite:").find("names no file"), std::string::npos);
    EXPECT_NE(sentence("sqlite:/nowhere/at/all.db").find("cannot be opened"), std::string::npos);
    EXPECT_NE(sentence("postgres://u:p@127.0.0.1:1/d").find("start PostgreSQL, or correct host and port"),
              std::string::npos);
    EXPECT_EQ(sentence("postgres://u:secret@127.0.0.1:1/d").find("secret"), std::string::npos);
    EXPECT_EQ(sentence("postgres://u:secret%zz@127.0.0.1:1/d").find("secret"), std::string::npos);
    EXPECT_EQ(sentence("postgres://127.0.0.1:1/d?password=secret").find("secret"), std::string::npos);
    for (const char* shows_none :
         {"postgres://u:a'secret@127.0.0.1:1/d", "postgres://u:\"secret@127.0.0.1:1/d",
          "postgres://u:a secret@127.0.0.1:1/d", "postgres://u:a<secret@127.0.0.1:1/d",
          "postgres://u:a/secret@127.0.0.1:1/d", "postgres://u:\"secret/x@127.0.0.1:1/d",
          "postgres://u:secret%20x/y@127.0.0.1:1/d", "postgres://u:x@y' secret@127.0.0.1:1/d",
          "postgres://127.0.0.1:1/d?password='secret'", "postgres://127.0.0.1:1/d?password=x&secret",
          "postgres://[127.0.0.1\"x?password=secret", "postgres://127.0.0.1:1/d?password=\"x&\"secret\"",
          "//u:secret@h", "u:secret@h/d", "postgres:/u:secret@h"})
        EXPECT_EQ(sentence(shows_none).find("secret"), std::string::npos) << sentence(shows_none);
    for (const char* wrong : {"postgres://127.0.0.1:abc/d", "postgres://127.0.0.1:1/d?sslmode=sometimes"})
        EXPECT_NE(sentence(wrong).find("correct this option in the database URL"), std::string::npos)
            << sentence(wrong);
    EXPECT_NE(sentence("postgres://no-such-host.invalid/d").find("correct the host"), std::string::npos);
    EXPECT_NE(sentence(test_server::shared().url_of("nothing")).find("createdb"), std::string::npos);
    {
        database at(url);
        at.script_sync("drop role if exists guarded; create role guarded login password 'right'");
    }
    std::string guarded = url;
    guarded.replace(guarded.find("postgres@"), 9, "guarded:wrong@");
    EXPECT_NE(sentence(guarded).find("correct the user or the password"), std::string::npos) << sentence(guarded);
    guarded.replace(guarded.find("wrong"), 5, "right");
    EXPECT_EQ(sentence(guarded), "it opened");
}

// ---- what nobody waits for any more ----

task<void> one_of_many_things(database& at, unsigned kind) {
    switch (kind % 5) {
        case 0: {
            (void)co_await at.query("select pg_sleep($1)", 0.001 * (kind % 7));
            break;
        }
        case 1: {
            (void)co_await at.query("select generate_series(1, $1::int)", static_cast<int>(kind % 300));
            break;
        }
        case 2: {
            co_await at.transaction([](transaction& tx) -> task<void> {
                (void)co_await tx.execute("insert into cancelled_things values (1)");
                (void)co_await tx.query("select pg_sleep(0.001)");
                throw std::runtime_error("never committed");
            });
            break;
        }
        case 3: {
            auto rows = at.stream<int>("select generate_series(1, 1000)");
            for (unsigned i = 0; i < kind % 1200; ++i) {
                const int* row = co_await rows.next();
                if (!row) break;
            }
            break;
        }
        default: {
            const result r = co_await at.query("select $1::int", static_cast<int>(kind));
            if (r.scalar<int>() != static_cast<int>(kind)) ADD_FAILURE() << "the answer to another question";
        }
    }
}

TEST(postgres, ten_thousand_cancellations_leave_nothing_behind) {
    const std::size_t before = open_descriptors();
    with_server(
        [](database& at) -> task<void> {
            co_await at.script("drop table if exists cancelled_things; create table cancelled_things (n int)");
            std::vector<task<void>> all;
            for (unsigned seed = 1; seed <= 40; ++seed)
                all.push_back(cancelled_at_random(at, seed, one_of_many_things));
            co_await when_all(std::move(all));
            for (;;) {
                const status s = co_await at.now();
                if (s.lent == 0 && s.running == 0 && s.waiting == 0) break;
                co_await sleep(10ms);
            }
            const result left = co_await at.query("select count(*) from cancelled_things");
            EXPECT_EQ(left.scalar<int>(), 0);
            const result open = co_await at.query(
                "select count(*) from pg_stat_activity where datname = 'postgres' and pid <> pg_backend_pid() and "
                "(state = 'active' or state like 'idle in transaction%')");
            EXPECT_EQ(open.scalar<int>(), 0);
            const status s = co_await at.now();
            EXPECT_LE(s.connections, 8U);
        },
        {.connections = 8});
    EXPECT_EQ(open_descriptors(), before);
}

// ---- faults ----

struct tally {
    int good = 0;
    int lost = 0;
    int other = 0;
    bool stop = false;
};

task<void> ask_on_and_on(database& at, tally& t) {
    while (!t.stop) {
        try {
            const result r = co_await at.query("select $1::int", 7);
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

task<void> until_good(tally& t, int more) {
    for (const int from = t.good; t.good < from + more;) co_await sleep(5ms);
}

TEST(postgres, a_restart_costs_only_what_is_on_its_way) {
    with_server(
        [](database& at) -> task<void> {
            for (const char* how : {"stop", "kill"}) {
                tally t;
                task_group group(co_await this_context());
                for (int i = 0; i < 20; ++i) group.spawn(ask_on_and_on(at, t));
                co_await until_good(t, 100);
                std::thread other([how] {
                    test_server::shared().tell(how);
                    test_server::shared().tell("start");
                });
                auto joined = [&other] { other.join(); };
                while (t.good > 0 && t.lost == 0) co_await sleep(5ms);
                co_await until_good(t, 200);
                joined();
                t.stop = true;
                co_await group.join();
                EXPECT_GT(t.lost, 0);
                EXPECT_LE(t.lost, 40) << how;  // each asks one thing at a time
                EXPECT_EQ(t.other, 0);
            }
        },
        {.connections = 5, .wait = 30s});
}

TEST(postgres, a_paused_server_is_waited_for_no_longer_than_the_deadline) {
    with_server([](database& at) -> task<void> {
        (void)co_await at.query("select 1");
        test_server::shared().tell("pause");
        int late = 0;
        for (int i = 0; i < 3; ++i) {
            try {
                co_await with_timeout(50ms, and_fail(at, 4, one_of_many_things));
            } catch (const timed_out&) {
                ++late;
            }
        }
        test_server::shared().tell("resume");
        EXPECT_EQ(late, 3);
        const result r = co_await at.query("select 1");
        EXPECT_EQ(r.size(), 1U);
    });
}

TEST(postgres, a_server_that_is_full_is_not_a_failure_while_there_are_connections) {
    with_server(
        [](database& at) -> task<void> {
            // max_connections of the test's server is 50.
            std::vector<task<int>> all;
            for (int i = 0; i < 200; ++i) all.push_back(sleep_then(at, 0.02, i));
            const std::vector<int> got = co_await when_all(std::move(all));
            EXPECT_EQ(got.back(), 199);
        },
        {.connections = 100});
}

}  // namespace
}  // namespace rondo::db::postgres
