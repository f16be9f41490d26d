// SPDX-License-Identifier: Apache-2.0
#include <rondo/contrib/app_database.hpp>

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/db/migrations.hpp>
#include <rondo/loop/thread_pool.hpp>

namespace rondo {

namespace {

std::string_view state_text(db::migration_state state) {
    switch (state) {
        case db::migration_state::applied: return "applied";
        case db::migration_state::pending: return "pending";
        case db::migration_state::changed: return "changed after it was applied";
        case db::migration_state::missing: return "applied, but the file is missing";
        case db::migration_state::out_of_order: return "not applied, but a later one is";
    }
    return "";
}

task<std::vector<db::migration>> load_migrations(std::string folder) {
    if (folder.empty()) throw std::invalid_argument("no migrations folder is configured; set --migrations FOLDER");
    auto read = [&folder] { return db::read_migrations(folder); };
    thread_pool* pool = event_loop::current().blocking();
    if (!pool) co_return read();
    co_return co_await pool->run(read);
}

}  // namespace

app_database::app_database(app& application)
    : app_(application),
      status_only_(application.setting("status", "", false, "migrate: only show the migrations' state")) {
    application.on_start([this] { return start(); });
    application.on_stop([this] { return stop(); });
    application
        .command("migrate", "apply pending database migrations (--status: show them)",
                 [this] { return migrate(*status_only_); })
        .without_lifespan();
}

db::database& app_database::operator*() {
    if (database_) return *database_;
    const app_settings& settings = app_.settings();
    if (settings.db_url.empty()) {
        throw std::invalid_argument(
            "this application requires a database; set --db-url (or RONDO_DB_URL, or db-url in rondo.toml) to "
            "postgres://user:password@host:5432/name or sqlite:FILE");
    }
    db::options options;
    options.max_connections = settings.db_connections;
    options.statement_cache_size = settings.db_statements;
    return database_.emplace(settings.db_url, options);
}

task<void> app_database::start() {
    co_await (**this).open();
    if (!app_.settings().migrations.empty()) co_await warn_about_pending();
}

task<void> app_database::stop() {
    if (database_) co_await database_->close();
}

task<void> app_database::warn_about_pending() {
    std::vector<db::migration> files = co_await load_migrations(app_.settings().migrations);
    const std::vector<db::migration_status> statuses = co_await db::read_migration_status(**this, std::move(files));
    const auto outstanding =
        std::ranges::count_if(statuses, [](const auto& m) { return m.state != db::migration_state::applied; });
    if (outstanding > 0)
        log::warning(
            fmt::format("{} of {} migrations are not applied or have changed; show them with 'migrate --status', "
                        "apply them with 'migrate'",
                        outstanding, statuses.size()));
}

task<int> app_database::migrate(bool status_only) {
    if (status_only) co_return co_await show_status();
    db::database& database = **this;
    std::vector<db::migration> files = co_await load_migrations(app_.settings().migrations);
    co_await database.open();
    const std::size_t count = files.size();
    const std::vector<std::string> applied = co_await db::migrate(database, std::move(files));
    for (const std::string& name : applied) fmt::print("applied {}\n", name);
    if (applied.empty()) fmt::print("nothing to do: all {} migrations are already applied\n", count);
    std::fflush(stdout);
    co_await database.close();
    co_return 0;
}

task<int> app_database::show_status() {
    db::database& database = **this;
    std::vector<db::migration> files = co_await load_migrations(app_.settings().migrations);
    co_await database.open();
    const std::vector<db::migration_status> statuses = co_await db::read_migration_status(database, std::move(files));
    int status = 0;
    for (const db::migration_status& m : statuses) {
        fmt::print("{:<40} {}{}{}\n", m.name, state_text(m.state), m.applied_at.empty() ? "" : " at ", m.applied_at);
        if (m.state != db::migration_state::applied && m.state != db::migration_state::pending) status = 1;
    }
    if (statuses.empty()) fmt::print("no migrations found\n");
    std::fflush(stdout);
    co_await database.close();
    co_return status;
}

}  // namespace rondo
