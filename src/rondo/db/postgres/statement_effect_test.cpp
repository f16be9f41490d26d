// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <rondo/db/error.hpp>
#include <rondo/db/postgres/statement_effect.hpp>

namespace rondo::db::postgres {
namespace {

void expect(effect expected, std::initializer_list<const char*> all) {
    for (const char* sql : all) EXPECT_EQ(static_cast<int>(effect_of(sql)), static_cast<int>(expected)) << sql;
}

TEST(StatementEffect, detects_transaction_control) {
    expect(effect::begins, {"begin", "BEGIN", "  begin;", "Begin isolation level serializable", "start transaction",
                            "-- first\nbegin", "-- first\rbegin", "/* a /* nested */ one */ begin", ";; begin",
                            "begin--x", "begin/**/", "\t\v\f\r\nbegin", "/**/;--\n;/* begin */begin"});
    expect(effect::ends,
           {"commit", "END", "rollback", "abort;", "commit and chain", "rollback work", "prepare transaction 'x'",
            "PREPARE/**/TRANSACTION 'x'", "rollback transaction and no chain"});
    expect(effect::savepoint, {"savepoint a", "release a", "release savepoint a", "rollback to a",
                               "ROLLBACK WORK TO SAVEPOINT a", "rollback transaction to a"});
    expect(effect::none, {"", ";", "-- begin", "/* begin", "select 'begin'", "beginning", "begin_", "\"begin\"",
                          "begin1", "select begin", "commit prepared 'x'", "rollback prepared 'x'",
                          "insert into t values ('; commit')", "(select 1)", "values (1)", "deallocate all"});
}

TEST(StatementEffect, detects_copy) {
    expect(effect::copies,
           {"copy t from stdin", "COPY t (a, b) FROM STDIN WITH (format csv)", "copy t to stdout", "copy t from stdout",
            "copy (select * from s) to stdout", "copy/**/t from --\n stdin", "copy \"from\" from stdin",
            "copy (select ')', \"(\", $$(($$, $a$)$a$, E'\\'(' from t) to STDOUT"});
    expect(effect::none, {"copy t from '/file'", "copy t to program 'cat'", "copy stdin to '/file'",
                          "copy (select * from stdin) to '/f'", "select * from stdin",
                          "copy t to '/file' (delimiter ' to stdout')", "copy t from \"stdin\""});
}

TEST(StatementEffect, detects_session_state) {
    expect(effect::sets,
           {"set a = 1", "SET SESSION x to 2", "set role r", "reset all", "discard all", "set time zone 'x'",
            "update pg_settings set setting = 1", "update pg_catalog.pg_settings set setting = 1",
            "update only (pg_settings) set setting = 1", "update only \"pg_catalog\".\"pg_settings\" set setting = 1",
            "with x as (select 1) update pg_settings set setting = 1", "explain analyze update pg_settings set a = 1"});
    expect(effect::sets_local, {"set local a = 1", "set transaction read only", "set constraints all deferred"});
    expect(effect::configures,
           {"select set_config('a', 'b', false)", "select pg_catalog.set_config('a', 'b', false)",
            "select 1, SET_CONFIG ('a', 'b', true)", "with x as (select \"set_config\"('a', 'b', false)) select 1",
            "with x as (select 1) select set_config('a', 'b', true)",
            "explain analyze select set_config('a', 'b', true)"});
    expect(effect::opaque, {"do $$ begin end $$", "call p()"});
    expect(effect::executes, {"execute q", "EXECUTE q(1)", "explain analyze execute q"});
    expect(effect::prepares, {"prepare q as select 1", "deallocate q", "deallocate prepare q"});
    expect(effect::listens, {"listen c", "unlisten *"});
    expect(effect::session_state,
           {"create temp table t (a int)", "create local temporary view v as select 1",
            "create or replace temp view v as x", "create table pg_temp.t (a int)", "select pg_advisory_lock(1)",
            "select pg_try_advisory_lock_shared(1)", "select pg_advisory_unlock(1)", "select 1 as a into temp t",
            "select 1 into temporary table t", "with x as (select 1 a) select a into temp t from x",
            "select 1 into pg_temp.t", "select 1 into \"pg_temp\".t", "create table \"pg_temp\".t (a int)",
            "create table t as select pg_advisory_lock(1)", "explain analyze create temp table t as select 1",
            "explain (analyze, verbose false) select pg_advisory_lock(1)", "declare c cursor with hold for select 1",
            "declare c insensitive scroll cursor WITH HOLD for select 1"});
    expect(effect::none, {"select 'set_config('",
                          "select set_config",
                          "select pg_advisory_xact_lock(1)",
                          "create table temp (a int)",
                          "create table t as select * from temp",
                          "insert into temp values (1)",
                          "update t set a = 1",
                          "create function f() returns text language sql as $$ select set_config('a', 'b', false) $$",
                          "select * from pg_settings",
                          "update t set a = (select count(*) from pg_settings)",
                          "insert into t select name from pg_settings on conflict do update set a = 1",
                          "with x as (insert into temp values (1) returning 1) select * from x",
                          "select 1 into t from temp",
                          "declare c cursor for select 1",
                          "declare c cursor without hold for select 'with hold'",
                          "explain select 1",
                          "explain (analyze) select 1",
                          "explain",
                          "explain (",
                          "explain )"});
}

TEST(StatementEffect, detects_and_chain) {
    for (const char* sql : {"commit and chain", "insert into t values (1); ROLLBACK AND /* */ CHAIN"})
        EXPECT_TRUE(has_and_chain(sql)) << sql;
    for (const char* sql : {"commit", "commit and no chain", "select 'and chain'", "select chain and x", ""})
        EXPECT_FALSE(has_and_chain(sql)) << sql;
}

TEST(StatementEffect, terminates_on_malformed_sql) {
    for (const char* sql : {"'", "\"", "$", "$$", "$a$", "E'\\", "/*", "--", "copy (", "e'", "select $1", "$1$2$",
                            "\"\"", "create", "set", "update pg_catalog"})
        EXPECT_NE(static_cast<int>(effect_of(sql)), -1) << sql;
    EXPECT_THROW(refuse_zero_byte(std::string_view("select 1\0; x", 12)), error);
}

TEST(StatementEffect, knows_non_atomic_statements) {
    EXPECT_TRUE(is_atomic("select 1"));
    EXPECT_FALSE(is_atomic("/* */ CALL p()"));
    EXPECT_FALSE(is_atomic("do $$ $$"));
    EXPECT_FALSE(is_atomic("execute q"));
}

}  // namespace
}  // namespace rondo::db::postgres
