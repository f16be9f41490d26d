// SPDX-License-Identifier: Apache-2.0
// Shared connections: what one caller does must not affect the others.
#include <array>

#include <rondo/coro/when_all.hpp>
#include <rondo/db/databases_fixture.hpp>
#include <rondo/db/postgres/server_fixture.hpp>

namespace rondo::db::postgres {
namespace {

using namespace std::chrono_literals;

template <class Body>
void with(const std::string& url, Body body, options limits = {.max_connections = 1}) {
    event_loop loop;
    database db(url, limits);
    loop.run_until(open_and_run(db, std::move(body)));
}

template <class Body>
void with_one_connection(Body body, options limits = {.max_connections = 1}) {
    with(test_server::shared().url(), std::move(body), limits);
}

template <class T>
std::string join(const std::optional<std::vector<T>>& all) {
    if (!all) return "none";
    std::string text;
    for (const T& one : *all) {
        if (!text.empty()) text += " | ";
        if constexpr (std::is_same_v<T, std::string>) text += one;
        else if constexpr (std::is_same_v<T, std::byte>) text += std::to_string(std::to_integer<int>(one));
        else text += std::to_string(one);
    }
    return text;
}

task<std::string> read_setting(database& db, std::string name) {
    const result r = co_await db.query("select current_setting($1)", name);
    co_return r.scalar<std::string>();
}

task<int> add_row(database& db, int n) {
    co_return static_cast<int>(co_await db.execute("insert into shared values ($1)", n));
}

TEST(PostgresSharedConnection, rejects_transaction_control_in_plain_statements) {
    with_one_connection([](database& db) -> task<void> {
        co_await db.execute_script("drop table if exists shared; create table shared (n int)");
        for (const char* sql : {"begin", "/* x */ Begin", "-- x\n start transaction", "; begin", "commit", "rollback",
                                "end", "abort", "savepoint a", "release a", "rollback to a", "prepare transaction 'x'",
                                "begin; insert into shared values (0)"}) {
            const dynamic_sql s(sql);
            const std::string message = co_await error_message_of(db.query(s));
            EXPECT_TRUE(message.contains("use transaction()")) << sql << ": " << message;
        }
        std::vector<task<int>> all;
        for (int i = 0; i < 20; ++i) all.push_back(add_row(db, i));
        (void)co_await when_all(std::move(all));
        database other(test_server::shared().url());
        const result r = co_await other.query("select count(*) from shared");
        EXPECT_EQ(r.scalar<int>(), 20);
        co_await other.close();
    });
}

TEST(PostgresSharedConnection, rejects_statements_with_a_zero_byte) {
    with_one_connection([](database& db) -> task<void> {
        const dynamic_sql s(std::string("select 1\0 from nothing", 22));
        EXPECT_TRUE((co_await error_message_of(db.query(s))).contains("zero byte"));
        EXPECT_TRUE(
            (co_await error_message_of(db.execute_script(std::string("select 1\0; x", 12)))).contains("zero byte"));
    });
}

// Other statements on the same connection are not affected.
TEST(PostgresSharedConnection, rejects_copy_as_a_plain_statement) {
    with_one_connection([](database& db) -> task<void> {
        co_await db.execute_script("drop table if exists shared; create table shared (n int)");
        auto [in, one, out, two] =
            co_await when_all(error_message_of(db.query("copy shared from stdin")), add_row(db, 1),
                              error_message_of(db.query("COPY (select 1) TO STDOUT")), add_row(db, 2));
        EXPECT_TRUE(in.contains("copy_in()")) << in;
        EXPECT_TRUE(out.contains("copy_out()")) << out;
        EXPECT_EQ(one + two, 2);
        const std::string within = co_await error_message_of(db.transaction([](transaction& tx) -> task<void> {
            (void)co_await tx.execute("insert into shared values (3)");
            (void)co_await tx.query("copy shared from stdin");
        }));
        EXPECT_TRUE(within.contains("copy_in()")) << within;
        const std::string script =
            co_await error_message_of(db.execute_script("insert into shared values (4); copy shared from stdin"));
        EXPECT_TRUE(script.contains("COPY is not allowed in a script")) << script;
        const result r = co_await db.query("select count(*) from shared");
        EXPECT_EQ(r.scalar<int>(), 2);
    });
}

TEST(PostgresSharedConnection, rejects_ending_a_transaction_from_inside) {
    with_one_connection([](database& db) -> task<void> {
        co_await db.execute_script("drop table if exists shared; create table shared (n int)");
        for (const char* sql : {"commit", "rollback", "begin", "prepare transaction 'x'"}) {
            const dynamic_sql s(sql);
            const std::string message = co_await error_message_of(db.transaction([&s](transaction& tx) -> task<void> {
                (void)co_await tx.execute("insert into shared values (1)");
                (void)co_await tx.query(s);
            }));
            EXPECT_TRUE(message.contains("only transaction() begins and ends the transaction")) << message;
        }
        const std::string script = co_await error_message_of(db.transaction([](transaction& tx) -> task<void> {
            co_await tx.execute_script("select 1; commit");
            (void)co_await tx.execute("insert into shared values (2)");
        }));
        EXPECT_TRUE(script.contains("the script ended the transaction")) << script;
        const result none = co_await db.query("select count(*) from shared");
        EXPECT_EQ(none.scalar<int>(), 0);
        co_await db.transaction([](transaction& tx) -> task<void> {
            (void)co_await tx.query("savepoint a");
            (void)co_await tx.execute("insert into shared values (3)");
            (void)co_await tx.query("rollback to a");
            (void)co_await tx.execute("insert into shared values (4)");
            (void)co_await tx.query("release a");
        });
        const result one = co_await db.query("select n from shared");
        EXPECT_EQ(one.scalar<int>(), 4);
    });
}

TEST(PostgresSharedConnection, rejects_scripts_that_replace_the_transaction) {
    with_one_connection([](database& db) -> task<void> {
        co_await db.execute_script("drop table if exists shared; create table shared (n int)");
        for (const char* sql :
             {"rollback; begin; insert into shared values (2)", "commit; begin", "select 1; rollback and chain",
              "commit and chain; select 1", "abort; start transaction", "savepoint a; rollback to a; end; begin"}) {
            const std::string message = co_await error_message_of(db.transaction([sql](transaction& tx) -> task<void> {
                (void)co_await tx.query("select count(*) from shared");
                co_await tx.execute_script(sql);
            }));
            EXPECT_TRUE(message.contains("the script ended the transaction")) << sql << ": " << message;
        }
        const result none = co_await db.query("select count(*) from shared");
        EXPECT_EQ(none.scalar<int>(), 0);
        co_await db.transaction([](transaction& tx) -> task<void> {
            co_await tx.execute_script(
                "savepoint a; insert into shared values (1); rollback to a; insert into shared values (2)");
            co_await tx.execute_script("create or replace function two() returns int begin atomic select 2; end");
        });
        const result one = co_await db.query("select n from shared");
        EXPECT_EQ(one.scalar<int>(), 2);
    });
}

async_generator<std::string> single_copy_line() { co_yield "1\n"; }

task<int> count_pieces(async_generator<std::string> pieces) {
    int count = 0;
    while (co_await pieces.next()) ++count;
    co_return count;
}

TEST(PostgresSharedConnection, copy_accepts_one_statement_of_the_right_direction) {
    with_one_connection([](database& db) -> task<void> {
        co_await db.execute_script("drop table if exists shared; create table shared (n int)");
        for (const char* sql : {"begin; copy shared from stdin", "copy shared from stdin; copy shared from stdin",
                                "copy shared to stdout", "copy shared from stdin; rollback"}) {
            const dynamic_sql s(sql);
            EXPECT_NE(co_await error_message_of(db.copy_in(statement(s), single_copy_line())), "") << sql;
        }
        for (const char* sql : {"copy shared to stdout; copy shared to stdout", "copy shared from stdin",
                                "begin; copy shared to stdout"}) {
            const dynamic_sql s(sql);
            EXPECT_NE(co_await error_message_of(count_pieces(db.copy_out(statement(s)))), "") << sql;
        }
        const std::string message = co_await error_message_of(db.copy_in("copy shared to stdout", single_copy_line()));
        EXPECT_TRUE(message.contains("copy_out()")) << message;
        EXPECT_EQ(co_await db.copy_in("copy shared from stdin;", single_copy_line()), 1U);
        EXPECT_EQ(co_await count_pieces(db.copy_out("/* all */ copy shared to stdout")), 1);
    });
}

TEST(PostgresSharedConnection, rejects_scripts_that_leave_a_transaction_open) {
    with_one_connection([](database& db) -> task<void> {
        co_await db.execute_script("drop table if exists shared; create table shared (n int)");
        const std::string message =
            co_await error_message_of(db.execute_script("begin; insert into shared values (1)"));
        EXPECT_TRUE(message.contains("left a transaction open")) << message;
        co_await db.execute_script("begin; insert into shared values (2); commit");
        const result r = co_await db.query("select n from shared");
        EXPECT_EQ(r.scalar<int>(), 2);
    });
}

// ---- settings ----

TEST(PostgresSharedConnection, rejects_session_changes_in_plain_statements) {
    with_one_connection([](database& db) -> task<void> {
        for (const char* sql :
             {"set work_mem = '1MB'", "reset all", "set local work_mem = '1MB'", "listen c",
              "create temp table x (a int)", "select pg_advisory_lock(1)", "discard all",
              "update pg_settings set setting = '1024' where name = 'work_mem'", "select 1 as a into temp x",
              "declare c cursor with hold for select 1", "prepare q as select 1", "deallocate q",
              "explain analyze create temp table x as select 1"}) {
            const dynamic_sql s(sql);
            EXPECT_NE(co_await error_message_of(db.query(s)), "") << sql;
        }
        const std::string before = co_await read_setting(db, "work_mem");
        (void)co_await db.query("select set_config('work_mem', '1MB', false)");
        (void)co_await db.query("do $$ begin perform set_config('work_mem', '1MB', false); end $$");
        EXPECT_EQ(co_await read_setting(db, "work_mem"), before);
    });
}

TEST(PostgresSharedConnection, resets_what_a_session_changed) {
    with_one_connection([](database& db) -> task<void> {
        const std::string before = co_await read_setting(db, "work_mem");
        co_await db.transaction([](transaction& tx) -> task<void> {
            (void)co_await tx.query("set work_mem = '1MB'");
            (void)co_await tx.query("set datestyle = 'German'");
        });
        EXPECT_EQ(co_await read_setting(db, "work_mem"), before);
        EXPECT_TRUE((co_await read_setting(db, "DateStyle")).starts_with("ISO"));
        co_await db.execute_script(
            "set work_mem = '1MB'; set role pg_monitor; create temp table mine (a int); listen c; "
            "select pg_advisory_lock(7)");
        EXPECT_EQ(co_await read_setting(db, "work_mem"), before);
        const result r = co_await db.query(
            "select current_user::text, (select count(*) from pg_locks where locktype = 'advisory' and objid = 7), "
            "(select count(*) from pg_listening_channels()), to_regclass('mine') is null");
        const auto [user, locks, channels, dropped] = r.one<std::tuple<std::string, int, int, bool>>();
        EXPECT_EQ(user, "postgres");
        EXPECT_EQ(locks, 0);
        EXPECT_EQ(channels, 0);
        EXPECT_TRUE(dropped);
    });
}

task<void> expect_clean_connection(database& db, const char* after) {
    const result r = co_await db.query(
        "select (select count(*) from pg_locks where locktype = 'advisory'), "
        "(select count(*) from pg_listening_channels()), to_regclass('mine') is null, "
        "current_setting('bytea_output'), (select count(*) from pg_cursors where is_holdable), "
        "(select count(*) from pg_prepared_statements where name not like 'rondo%')");
    const auto [locks, channels, dropped, bytes, cursors, names] =
        r.one<std::tuple<int, int, bool, std::string, int, int>>();
    EXPECT_EQ(locks, 0) << after;
    EXPECT_EQ(channels, 0) << after;
    EXPECT_TRUE(dropped) << after;
    EXPECT_EQ(bytes, "hex") << after;
    EXPECT_EQ(cursors, 0) << after;
    EXPECT_EQ(names, 0) << after;
}

TEST(PostgresSharedConnection, resets_every_kind_of_session_state) {
    with_one_connection([](database& db) -> task<void> {
        co_await db.execute_script("drop table if exists shared; create table shared (n int)");
        for (const char* sql : {"do $$ begin perform pg_advisory_lock(9); end $$",
                                "do $$ begin create temp table mine (n int); execute 'listen xyz'; end $$"}) {
            const dynamic_sql s(sql);
            (void)co_await db.query(s);
            co_await expect_clean_connection(db, sql);
        }
        for (const char* sql : {"select pg_advisory_lock(5)::text", "create temp table mine (n int)"}) {
            const dynamic_sql s(sql);
            auto rows = db.stream<std::string>(statement(s));
            while (co_await rows.next()) {
            }
            co_await expect_clean_connection(db, sql);
        }
        (void)co_await count_pieces(db.copy_out("copy (select set_config('bytea_output', 'escape', false)) to stdout"));
        co_await expect_clean_connection(db, "a setting of a copy");
        (void)co_await count_pieces(db.copy_out("copy (select pg_advisory_lock(3)) to stdout"));
        co_await expect_clean_connection(db, "a lock of a copy");
        for (int i = 0; i < 2; ++i) {
            co_await db.transaction([](transaction& tx) -> task<void> {
                (void)co_await tx.query("select 1 as n into temp mine");
                (void)co_await tx.query("declare held cursor with hold for select 1");
                (void)co_await tx.query("prepare own as select set_config('bytea_output', 'escape', false)");
                (void)co_await tx.query("execute own");
                (void)co_await tx.query("explain analyze select pg_advisory_lock(8)");
            });
            co_await expect_clean_connection(db, "a transaction");
        }
    });
}

TEST(PostgresSharedConnection, fails_at_most_once_after_a_column_changed_its_type) {
    with_one_connection([](database& db) -> task<void> {
        co_await db.execute_script("drop table if exists shared; create table shared (n int)");
        (void)co_await db.execute("insert into shared values ($1)", 1);
        co_await db.execute_script("alter table shared alter n type bigint");
        (void)co_await error_message_of(db.execute("insert into shared values ($1)", 3'000'000'000));
        EXPECT_EQ(co_await db.execute("insert into shared values ($1)", 3'000'000'000), 1U);
        co_await db.execute_script("alter table shared alter n type text");
        (void)co_await error_message_of(db.execute("insert into shared values ($1)", "a"));
        EXPECT_EQ(co_await db.execute("insert into shared values ($1)", "a"), 1U);
    });
}

TEST(PostgresSharedConnection, uses_the_shorter_statement_timeout) {
    const std::string url = test_server::shared().url() + "?options=-c%20statement_timeout%3D";
    for (const auto& [given, in_a_minute] :
         {std::pair("5s", "5s"), std::pair("0", "60500ms"), std::pair("90s", "60500ms")})
        with(url + given, [&](database& db) -> task<void> {
            const auto read_timeout = [](transaction& tx) -> task<std::string> {
                const result r = co_await tx.query("select current_setting('statement_timeout')");
                co_return r.scalar<std::string>();
            };
            const std::string limit = co_await with_timeout(60s, db.transaction(read_timeout));
            if (std::string_view(in_a_minute) == "5s") EXPECT_EQ(limit, "5s");
            else EXPECT_TRUE(limit.starts_with("60") && limit.ends_with("ms")) << limit;
        });
}

// Resetting settings keeps prepared statements.
TEST(PostgresSharedConnection, reset_keeps_prepared_statements) {
    with_one_connection([](database& db) -> task<void> {
        for (int i = 0; i < 3; ++i) (void)co_await db.query("select 'kept'");
        co_await db.transaction([](transaction& tx) -> task<void> { (void)co_await tx.query("set work_mem = '1MB'"); });
        const result r =
            co_await db.query("select count(*) from pg_prepared_statements where statement = 'select ''kept'''");
        EXPECT_EQ(r.scalar<int>(), 1);
    });
}

TEST(PostgresSharedConnection, ignores_role_settings_that_change_value_formats) {
    with_one_connection([](database& db) -> task<void> {
        co_await db.execute_script(
            "drop role if exists odd; create role odd login superuser;"
            "alter role odd set datestyle = 'SQL, DMY'; alter role odd set intervalstyle = 'sql_standard';"
            "alter role odd set timezone = 'Asia/Kathmandu'; alter role odd set extra_float_digits = -10;"
            "alter role odd set bytea_output = 'escape'; alter role odd set array_nulls = off;"
            "alter role odd set standard_conforming_strings = off; alter role odd set client_encoding = 'LATIN1';"
            "alter role odd set quote_all_identifiers = on; alter role odd set xmlbinary = hex");
    });
    std::string url = test_server::shared().url();
    url.replace(url.find("postgres@"), 9, "odd@");
    for (const char* more : {"", "?options=-c%20DateStyle%3DGerman%20-c%20bytea_output%3Descape"}) {
        with(url + more, [](database& db) -> task<void> {
            const result r = co_await db.query(
                "select '2026-02-01 12:00:00'::timestamp, '2026-02-01 12:00:00+00'::timestamptz, 0.1::float8 + "
                "0.2::float8, "
                "'\\x5c00ff41'::bytea, '1 day 2 hours'::interval, 'ü', 'a\\b', 'pg_class'::regclass::text");
            const auto [plain, zoned, real, bytes, interval, letter, slash, name] =
                r.one<std::tuple<time_point, time_point, double, std::vector<std::byte>, std::string, std::string,
                                 std::string, std::string>>();
            const time_point noon = std::chrono::sys_days(std::chrono::year(2026) / 2 / 1) + 12h;
            EXPECT_EQ(plain, noon);
            EXPECT_EQ(zoned, noon);
            EXPECT_EQ(real, 0.1 + 0.2);
            EXPECT_EQ(join(std::optional(bytes)), "92 | 0 | 255 | 65");
            EXPECT_EQ(interval, "1 day 02:00:00");
            EXPECT_EQ(letter, "ü");
            EXPECT_EQ(slash, "a\\b");
            EXPECT_EQ(name, "pg_class");
            const std::vector<std::optional<std::string>> null(1);
            const result nulls = co_await db.query("select $1::text[]", null);
            EXPECT_FALSE(nulls.scalar<std::vector<std::optional<std::string>>>().at(0).has_value());
        });
    }
    EXPECT_THROW(database(url + "?client_encoding=LATIN1"), std::invalid_argument);
    EXPECT_NO_THROW(database(url + "?client_encoding=utf-8"));
}

// ---- values ----

template <class T>
task<std::optional<T>> read_scalar(database& db, std::string expression) {
    const dynamic_sql sql("select " + expression);
    std::optional<T> value;
    try {
        const result r = co_await db.query(sql);
        value = r.scalar<T>();
    } catch (const result_mismatch&) {
    }
    co_return value;
}

template <class T>
task<void> expect(database& db, std::string expression, std::string expected) {
    const auto value = co_await read_scalar<std::vector<T>>(db, expression);
    EXPECT_EQ(join(value), expected) << expression;
}

template <class T>
task<void> expect_mismatch(database& db, const char* expression) {
    const auto value = co_await read_scalar<T>(db, expression);
    EXPECT_FALSE(value.has_value()) << expression;
}

TEST(PostgresSharedConnection, rejects_times_out_of_range) {
    with_one_connection([](database& db) -> task<void> {
        for (const char* none : {"'infinity'::timestamp", "'-infinity'::date", "'0044-03-15 BC'::date",
                                 "'0044-03-15 BC'::timestamptz", "'10000-01-01'::date", "'294276-12-31'::timestamp",
                                 "'24:00'::time", "'12:00+01'::timetz", "'1 day'::interval"})
            co_await expect_mismatch<time_point>(db, none);
        using nanos = std::chrono::sys_time<std::chrono::nanoseconds>;
        co_await expect_mismatch<nanos>(db, "'9999-12-31'::date");
        co_await expect_mismatch<nanos>(db, "'1600-01-01'::date");
        EXPECT_TRUE((co_await read_scalar<nanos>(db, "'2026-01-01'::date")).has_value());
        EXPECT_EQ(co_await read_scalar<std::string>(db, "'24:00'::time"), "24:00:00");
    });
}

TEST(PostgresSharedConnection, reads_only_one_dimensional_arrays) {
    with_one_connection([](database& db) -> task<void> {
        co_await expect<int>(db, "'[0:2]={1,2,3}'::int[]", "1 | 2 | 3");
        co_await expect<int>(db, "'[-5:-4]={1,2}'::int[]", "1 | 2");
        for (const char* none : {"'{{1,2},{3,4}}'::int[]", "'[0:0][1:2]={{1,2}}'::int[]", "'{1,NULL}'::int[]",
                                 "'[1,5)'::int4range", "'{[1,3),[5,7)}'::int4multirange", "'{}'::json",
                                 "'[1.5,2.5]'::numrange", "array[B'101']", "'{1,2,3}'::line"})
            co_await expect_mismatch<std::vector<int>>(db, none);
        for (const char* none : {"'{}'::int[]", "'{}'::int4multirange", "'[1,5]'::numrange", "'101'::bit(3)"})
            co_await expect_mismatch<codec::json_value>(db, none);
        EXPECT_TRUE((co_await read_scalar<codec::json_value>(db, "'{}'::text")).has_value());
        co_await expect_mismatch<std::vector<std::string>>(db, "'{[1,3),[5,7)}'::int4multirange");
        co_await expect<std::string>(db, "'{(1,1),(0,0);(3,3),(2,2)}'::box[]", "(1,1),(0,0) | (3,3),(2,2)");
        co_await expect<std::string>(db, "'{\"(1,2)\",\"(3,4)\"}'::point[]", "(1,2) | (3,4)");
        co_await expect<std::string>(db, "array['{','}',',',';','\"','\\','x','NULL','null',' a ']",
                                     "{ | } | , | ; | \" | \\ | x | NULL | null |  a ");
    });
}

TEST(PostgresSharedConnection, reads_numbers_and_bytes_exactly) {
    with_one_connection([](database& db) -> task<void> {
        co_await expect_mismatch<int>(db, "B'101'");
        co_await expect_mismatch<float>(db, "1e300::float8");
        co_await expect_mismatch<double>(db, "9007199254740993::int8");
        EXPECT_EQ(co_await read_scalar<double>(db, "9007199254740992::int8"), 9007199254740992.0);
        co_await expect_mismatch<std::int64_t>(db, "'NaN'::numeric");
        co_await expect_mismatch<double>(db, "('1' || repeat('0', 400))::numeric");
        EXPECT_EQ(co_await read_scalar<std::string>(db, "B'101'"), "101");
        EXPECT_EQ(co_await read_scalar<std::string>(db, "'1234.5'::numeric::money"), "$1,234.50");
        EXPECT_TRUE(std::isnan((co_await read_scalar<double>(db, "'NaN'::numeric")).value_or(0)));
        EXPECT_TRUE(std::isinf((co_await read_scalar<double>(db, "'-Infinity'::numeric")).value_or(0)));
        co_await expect<std::byte>(db, "'\\x4142'::bytea", "65 | 66");
        co_await expect<std::byte>(db, "'\\x41'::text", "92 | 120 | 52 | 49");
        const auto typed = co_await read_scalar<std::vector<std::vector<std::byte>>>(db, "array['\\x41'::bytea]");
        const auto text = co_await read_scalar<std::vector<std::vector<std::byte>>>(db, "array['\\x41']");
        EXPECT_TRUE(typed && typed->at(0).size() == 1);
        EXPECT_TRUE(text && text->at(0).size() == 4);
    });
}

TEST(PostgresSharedConnection, rejects_arrays_with_unknown_delimiters) {
    with_one_connection([](database& db) -> task<void> {
        co_await db.execute_script(
            "drop type if exists odd_type cascade; create type odd_type;"
            "create function odd_in(cstring) returns odd_type language internal strict immutable as 'textin';"
            "create function odd_out(odd_type) returns cstring language internal strict immutable as 'textout';"
            "create type odd_type (input = odd_in, output = odd_out, delimiter = ':', like = text);"
            "drop type if exists colours; create type colours as enum ('red', 'dark blue')");
        co_await expect_mismatch<std::vector<std::string>>(db, "'{ab:cd}'::odd_type[]");
        co_await expect<std::string>(db, "'{red,dark blue}'::colours[]", "red | dark blue");
    });
}

TEST(PostgresSharedConnection, rejects_time_parameters_out_of_range) {
    with_one_connection([](database& db) -> task<void> {
        using hours = std::chrono::sys_time<std::chrono::hours>;
        using micros = std::chrono::microseconds;
        const auto refused = [](task<result> t) -> task<bool> {
            const std::string message = co_await error_message_of(std::move(t));
            co_return message.contains("not between the years 1 and 9999");
        };
        EXPECT_TRUE(co_await refused(db.query("select $1::timestamp", hours::max())));
        EXPECT_TRUE(co_await refused(db.query("select $1::timestamp", time_point::max())));
        EXPECT_TRUE(co_await refused(db.query("select $1::timestamp", time_point::min())));
        // 65536 years later: its year is the same modulo 2^16.
        const time_point far(std::chrono::duration_cast<micros>(std::chrono::days(23936532)) +
                             time_point().time_since_epoch());
        EXPECT_TRUE(co_await refused(db.query("select $1::timestamp", far)));
    });
}

}  // namespace
}  // namespace rondo::db::postgres
