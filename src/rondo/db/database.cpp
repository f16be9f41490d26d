// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/database.hpp>

#include <rondo/db/postgres/open.hpp>

namespace rondo::db {

namespace {

location checked(std::string_view url) {
    location where = parse_url(url);
    if (where.kind == kind::postgres) postgres::check_url(where.text);
    return where;
}

}  // namespace

database::database(std::string_view url, db::options options) : home_(checked(url), options) {}

task<void> database::open() {
    home_.settle_here();
    co_await home_.open();
}

task<void> database::close() { return home_.close(); }

task<result> database::run_dynamic(dynamic_sql s, parameters p) {
    co_return co_await home_.query(statement(s), std::move(p));
}

task<void> database::script(std::string sql) {
    session_lease lease = co_await home_.lend(true);
    co_await home_.from_here(lease->script(sql));
}

void database::open_sync() { home_.wait("database::open_sync", home_.open_here()); }

void database::script_sync(std::string sql) {
    session_lease lease = home_.wait("database::script_sync", home_.lend_here(true));
    home_.wait("database::script_sync", lease->script(sql));
}

}  // namespace rondo::db
