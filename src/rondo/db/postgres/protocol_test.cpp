// SPDX-License-Identifier: Apache-2.0
// Rare or translated behaviour of a server, simulated by a scripted one.
#include <atomic>
#include <thread>

#include <rondo/coro/when_all.hpp>
#include <rondo/db/databases_fixture.hpp>
#include <rondo/db/postgres/scripted_server_fixture.hpp>
#include <rondo/loop/timeout.hpp>

namespace rondo::db::postgres {
namespace {

using namespace std::chrono_literals;
using client_connection = scripted_server::client_connection;

template <class Body>
task<void> open_and_run_with_timeout(database& db, Body body) {
    co_await db.open();
    co_await with_timeout(20s, body(db));
    co_await db.close();
}

template <class Body>
void with(const scripted_server& server, Body body, options limits = {}) {
    event_loop loop;
    database db(server.url(), limits);
    loop.run_until(open_and_run_with_timeout(db, std::move(body)));
}

task<std::string> error_code_of(task<result> query) {
    std::string code;
    try {
        (void)co_await std::move(query);
        code = "good";
    } catch (const connection_lost&) {
        code = "lost";
    } catch (const error& e) {
        code = e.code();
    }
    co_return code;
}

TEST(PostgresProtocol, detects_a_stale_plan_by_its_routine) {
    std::atomic<int> executed = 0;
    std::string routine = "RevalidateCachedQuery";
    std::vector<std::string> names;
    const scripted_server server([&](client_connection& c, int) {
        c.read_startup();
        c.send_welcome();
        c.serve_statements([&](char step, const std::string& name, const std::string& sql) -> std::string {
            if (!sql.starts_with("select")) return {};  // DEALLOCATE
            if (step == 'P') names.push_back(name);
            if (step != 'B' || ++executed != 2) return {};
            return scripted_server::error_response("FEHLER", "0A000",
                                                   "gecachter Plan darf den Ergebnistyp nicht ändern", routine);
        });
    });
    with(server,
         [&](database& db) -> task<void> {
             for (int i = 0; i < 4; ++i) EXPECT_EQ(co_await error_code_of(db.query("select * from d")), "good");
             EXPECT_EQ(executed, 5);
             EXPECT_EQ(names.size(), 3U);  // prepared; repeated without a name; prepared again
             if (names.size() == 3) {
                 EXPECT_EQ(names[1], "");
                 EXPECT_NE(names[0], names[2]);
             }
             // The same SQLSTATE from another routine is an ordinary error, whatever its text.
             executed = 0;
             routine = "transformSelect";
             EXPECT_EQ(co_await error_code_of(db.query("select * from d")), "good");
             EXPECT_EQ(co_await error_code_of(db.query("select * from d")), "0A000");
             EXPECT_EQ(executed, 2);
         },
         {.max_connections = 1});
}

TEST(PostgresProtocol, retries_unnamed_when_a_pooler_lost_the_name) {
    for (const char* code : {"26000", "42P05"}) {
        std::atomic<int> failures = 0;
        const scripted_server server([&](client_connection& c, int) {
            c.read_startup();
            c.send_welcome();
            bool parsed = false;
            c.serve_statements([&](char step, const std::string& name, const std::string&) -> std::string {
                const bool fails = std::string_view(code) == "42P05" ? step == 'P' && !name.empty()
                                                                     : step == 'B' && !parsed && !name.empty();
                if (step == 'P') parsed = true;
                if (step == 'S') parsed = false;
                if (!fails) return {};
                ++failures;
                return scripted_server::error_response("ERREUR", code, "texte");
            });
        });
        with(server,
             [&](database& db) -> task<void> {
                 for (int i = 0; i < 5; ++i) EXPECT_EQ(co_await error_code_of(db.query("select 1")), "good") << code;
                 EXPECT_EQ(failures, 1) << code;
             },
             {.max_connections = 1});
    }
}

// CALL may have committed part of its work before it fails.
TEST(PostgresProtocol, does_not_retry_non_atomic_statements) {
    std::atomic<int> binds = 0;
    const scripted_server server([&](client_connection& c, int) {
        c.read_startup();
        c.send_welcome();
        c.serve_statements([&](char step, const std::string& name, const std::string& sql) -> std::string {
            if (!sql.contains("execute")) return {};
            if (step == 'B') ++binds;
            return step == 'E' && binds == 2 && !name.empty()
                       ? scripted_server::error_response("ERROR", "26000", "text")
                       : "";
        });
    });
    with(server,
         [&](database& db) -> task<void> {
             EXPECT_EQ(co_await error_code_of(db.query("/* one */ execute work(1)")), "good");
             EXPECT_EQ(co_await error_code_of(db.query("/* one */ execute work(1)")), "26000");
             EXPECT_EQ(binds, 2);
         },
         {.max_connections = 1});
}

TEST(PostgresProtocol, understands_translated_connect_errors) {
    for (const char* severity : {"FATAL", "致命错误", "ВАЖНО"}) {
        const scripted_server server([&](client_connection& c, int) {
            c.read_startup();
            c.send(scripted_server::error_response(severity, "28P01", "用户 \"u\" Password 认证失败", "auth_failed"));
        });
        std::string message;
        const auto start = clock::now();
        try {
            database db(server.url());
            db.open_sync();
        } catch (const connection_lost& e) {
            message = e.what();
            EXPECT_EQ(e.code(), "28P01");
        }
        EXPECT_TRUE(message.contains("correct the user or the password")) << message;
        EXPECT_LT(clock::now() - start, 5s);
    }
}

// A transaction opens although no statement looks like BEGIN.
TEST(PostgresProtocol, fails_a_statement_that_left_a_transaction_open) {
    std::atomic<int> connections = 0;
    const scripted_server server([&](client_connection& c, int) {
        ++connections;
        c.read_startup();
        c.send_welcome();
        c.serve_statements([](char step, const std::string&, const std::string& sql) -> std::string {
            return step == 'S' && sql == "select 'opens'" ? scripted_server::ready_for_query('T') : "";
        });
    });
    with(server,
         [&](database& db) -> task<void> {
             std::string message;
             try {
                 (void)co_await db.query("select 'opens'");
             } catch (const error& e) {
                 message = e.what();
             }
             EXPECT_TRUE(message.contains("use transaction()")) << message;
             EXPECT_EQ(co_await error_code_of(db.query("select 1")), "good");
             EXPECT_EQ(connections, 2);
         },
         {.max_connections = 1});
}

TEST(PostgresProtocol, fails_statements_after_one_that_left_a_transaction_open) {
    std::atomic<int> syncs = 0;
    const scripted_server server([&](client_connection& c, int number) {
        c.read_startup();
        c.send_welcome();
        std::string held;
        c.serve_statements([&](char step, const std::string&, const std::string& sql) -> std::string {
            if (number > 1) return {};
            if (step == 'E' && sql == "select 'opens'") return scripted_server::command_complete("BEGIN");
            if (step != 'S') return {};
            ++syncs;
            return scripted_server::ready_for_query('T');
        });
    });
    with(server,
         [&](database& db) -> task<void> {
             auto [first, second, third] = co_await when_all(error_code_of(db.query("select 'opens'")),
                                                             error_code_of(db.query("insert into t values (1)")),
                                                             error_code_of(db.query("insert into t values (2)")));
             EXPECT_EQ(first, "25001");
             EXPECT_EQ(second, "lost");
             EXPECT_EQ(third, "lost");
             EXPECT_EQ(co_await error_code_of(db.query("select 1")), "good");
         },
         {.max_connections = 1});
}

TEST(PostgresProtocol, closes_the_connection_on_an_unexpected_copy) {
    const scripted_server server([&](client_connection& c, int) {
        c.read_startup();
        c.send_welcome();
        c.serve_statements([](char step, const std::string&, const std::string& sql) -> std::string {
            const std::string in = scripted_server::message('G', std::string("\0\0\0", 3));
            return step == 'E' && sql == "select 'copies'" ? in : "";
        });
    });
    with(server,
         [&](database& db) -> task<void> {
             EXPECT_NE(co_await error_code_of(db.query("select 'copies'")), "good");
             EXPECT_EQ(co_await error_code_of(db.query("select 1")), "good");
         },
         {.max_connections = 1});
}

// ---- settings ----

TEST(PostgresProtocol, sets_rejected_or_dropped_options_by_a_statement) {
    for (const bool refused : {true, false}) {
        std::atomic<bool> pinned = false;
        std::atomic<bool> again = false;
        const scripted_server server([&](client_connection& c, int) {
            const std::string parameters = c.read_startup();
            if (refused && parameters.contains("options")) {
                c.send(scripted_server::error_response("FATAL", "08P01", "unsupported startup parameter: options"));
                return;
            }
            again = true;
            c.send_welcome(scripted_server::message(
                'S', scripted_server::c_string("DateStyle") + scripted_server::c_string("German, DMY")));
            c.serve_statements([&](char step, const std::string&, const std::string& sql) -> std::string {
                if (step == 'E' && sql.contains("set_config('DateStyle', 'ISO', false)") &&
                    sql.contains("bytea_output") && sql.contains("extra_float_digits"))
                    pinned = true;
                return {};
            });
        });
        with(server, [&](database& db) -> task<void> {
            EXPECT_EQ(co_await error_code_of(db.query("select 1")), "good");
            EXPECT_TRUE(again);
            EXPECT_TRUE(pinned);
        });
    }
}

// ---- eviction ----

task<void> send_large_parameter(database& db) {  // more than the server reads, so that output is pending
    const std::string code = co_await error_code_of(db.query("select 0", std::string(20 << 20, 'x')));
    EXPECT_EQ(code, "lost");
}

task<void> run_evicting_query(database& db, std::atomic<bool>& started, std::atomic<bool>& ended) {
    started = true;
    while (!ended) std::this_thread::sleep_for(5ms);  // blocks the loop
    std::this_thread::sleep_for(50ms);
    EXPECT_EQ(co_await with_timeout(5s, error_code_of(db.query("select 'the ninth'"))), "lost");
}

TEST(PostgresProtocol, evicting_on_a_broken_connection_fails) {
    std::atomic<bool> started = false;
    std::atomic<bool> ended = false;
    const scripted_server server([&](client_connection& c, int) {
        c.read_startup();
        c.send_welcome();
        int remaining = 8;
        c.serve_statements([&](char step, const std::string&, const std::string&) -> std::string {
            if (step == 'S' && --remaining == 0) {
                c.send(scripted_server::ready_for_query('I'));
                while (!started) std::this_thread::sleep_for(1ms);
                c.shutdown_write();
                ended = true;
                std::this_thread::sleep_for(500ms);
            }
            return remaining == 0 ? scripted_server::message('N', std::string(1, '\0')) : "";
        });
    });
    with(server,
         [&](database& db) -> task<void> {
             for (int i = 0; i < 8; ++i) {
                 const dynamic_sql sql("select " + std::to_string(i));
                 EXPECT_EQ(co_await error_code_of(db.query(sql)), "good");
             }
             co_await when_all(send_large_parameter(db), run_evicting_query(db, started, ended));
         },
         {.max_connections = 1, .statement_cache_size = 8});
}

// The pooler does not see DEALLOCATE: it would close the connection when a name is reused.
TEST(PostgresProtocol, never_reuses_names_with_a_pooler_that_tracks_them) {
    std::atomic<int> twice = 0;
    const scripted_server server([&](client_connection& c, int) {
        c.read_startup();
        c.send_welcome();
        std::map<std::string, int> names;
        c.serve_statements([&](char step, const std::string& name, const std::string& sql) -> std::string {
            if (step == 'P' && !name.empty() && ++names[name] > 1) ++twice;
            return sql.starts_with("deallocate") && step == 'E'
                       ? scripted_server::error_response("ERROR", "26000", "no")
                       : "";
        });
    });
    with(server,
         [&](database& db) -> task<void> {
             for (int round = 0; round < 3; ++round)
                 for (int i = 0; i < 10; ++i) {
                     const dynamic_sql sql("select " + std::to_string(i));
                     EXPECT_EQ(co_await error_code_of(db.query(sql)), "good");
                 }
             EXPECT_EQ(twice, 0);
         },
         {.max_connections = 1, .statement_cache_size = 4});
}

// ---- messages ----

TEST(PostgresProtocol, keeps_messages_around_a_reconnect) {
    std::atomic<int> listeners = 0;
    const scripted_server server([&](client_connection& c, int) {
        c.read_startup();
        c.send_welcome();
        bool listens = false;
        c.serve_statements([&](char step, const std::string&, const std::string& sql) -> std::string {
            if (step != 'S' || listens || !sql.starts_with("listen")) return {};
            listens = true;
            const auto note = scripted_server::notification_response;
            c.send(scripted_server::ready_for_query('I') + note("1"));
            if (++listeners == 1) {
                std::this_thread::sleep_for(100ms);
                c.send(note("2") + note("3") + note("4"));
                c.shutdown_write();  // together with them
                std::this_thread::sleep_for(20ms);
            } else {
                std::this_thread::sleep_for(50ms);
                c.send(note("5"));
                std::this_thread::sleep_for(300ms);
                c.send(note("6"));
            }
            return scripted_server::message('N', std::string(1, '\0'));
        });
    });
    with(server, [](database& db) -> task<void> {
        auto notifications = db.listen("c");
        std::string all;
        while (!all.ends_with("6")) {
            const notification* n = co_await notifications.next();
            EXPECT_NE(n, nullptr);
            if (!n) break;
            all += n->missed ? "m" : n->payload;
            co_await sleep(n->missed || all == "1" ? 200ms : 0ms);
        }
        EXPECT_EQ(all, "1234m156");
    });
}

}  // namespace
}  // namespace rondo::db::postgres
