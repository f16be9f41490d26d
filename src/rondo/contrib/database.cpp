// SPDX-License-Identifier: Apache-2.0
#include <rondo/contrib/database.hpp>

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/db/migrations.hpp>
#include <rondo/loop/pool.hpp>

namespace rondo {

namespace {

std::string_view word_of(db::migration_state state) {
    switch (state) {
        case db::migration_state::applied: return "applied";
        case db::migration_state::pending: return "pending";
        case db::migration_state::changed: return "changed after it was applied";
        case db::migration_state::missing: return "applied, and the file is missing";
        case db::migration_state::late: return "not applied, though a later one is";
    }
    return "";
}

task<std::vector<db::migration>> migrations_of(std::string folder) {
    if (folder.empty())
        throw std::invalid_argument("there is no folder of migrations: say which with --migrations FOLDER");
    auto read = [&folder] { return db::read_migrations(folder); };
    thread_pool* pool = event_loop::current().blocking();
    if (!pool) co_return read();
    co_return co_await pool->run(read);
}

}  // namespace

app_database::app_database(app& of)
    : app_(of), status_(of.setting("status", "", false, "migrate: only say what was applied and what was not")) {
    of.on_start([this] { return start(); });
    of.on_stop([this] { return stop(); });
    of.command("migrate", "apply the migrations of the database that are pending (--status: show them)", [this] {
          return migrate(*status_);
      }).without_start();
}

db::database& app_database::operator*() {
    if (database_) return *database_;
    const app_settings& chosen = app_.settings();
    if (chosen.db_url.empty()) {
        throw std::invalid_argument(
            "this application needs a database: say which with --db-url (or RONDO_DB_URL, or "
            "db-url in rondo.toml): postgres://user:password@host:5432/name or sqlite:FILE");
    }
    db::options limits;
    limits.connections = chosen.db_connections;
    limits.statements = chosen.db_statements;
    return database_.emplace(chosen.db_url, limits);
}

task<void> app_database::start() {
    db::database& at = **this;
    co_await at.open();
    if (!app_.settings().migrations.empty()) co_await warn_of_pending();
}

task<void> app_database::stop() {
    if (database_) co_await database_->close();
}

task<void> app_database::warn_of_pending() {
    std::vector<db::migration> files = co_await migrations_of(app_.settings().migrations);
    const std::vector<db::migration_status> all = co_await db::status_of(**this, std::move(files));
    const auto wanting =
        std::ranges::count_if(all, [](const auto& m) { return m.state != db::migration_state::applied; });
    if (wanting > 0)
        log::warning(
            fmt::format("{} of {} migrations are not as they should be: look with 'migrate --status', apply "
                        "them with 'migrate'",
                        wanting, all.size()));
}

task<int> app_database::migrate(bool only_status) {
    if (only_status) co_return co_await show_status();
    db::database& at = **this;
    std::vector<db::migration> files = co_await migrations_of(app_.settings().migrations);
    co_await at.open();
    const std::size_t count = files.size();
    const std::vector<std::string> done = co_await db::migrate(at, std::move(files));
    for (const std::string& name : done) fmt::print("applied {}\n", name);
    if (done.empty()) fmt::print("nothing to do: all {} migrations were applied before\n", count);
    std::fflush(stdout);
    co_await at.close();
    co_return 0;
}

task<int> app_database::show_status() {
    db::database& at = **this;
    std::vector<db::migration> files = co_await migrations_of(app_.settings().migrations);
    co_await at.open();
    const std::vector<db::migration_status> all = co_await db::status_of(at, std::move(files));
    int status = 0;
    for (const db::migration_status& m : all) {
        fmt::print("{:<40} {}{}{}\n", m.name, word_of(m.state), m.applied_at.empty() ? "" : " at ", m.applied_at);
        if (m.state != db::migration_state::applied && m.state != db::migration_state::pending) status = 1;
    }
    if (all.empty()) fmt::print("there are no migrations\n");
    std::fflush(stdout);
    co_await at.close();
    co_return status;
}

}  // namespace rondo
