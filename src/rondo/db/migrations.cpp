// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/migrations.hpp>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

#include <rondo/codec/describe.hpp>
#include <rondo/codec/digest.hpp>
#include <rondo/db/error.hpp>

namespace rondo::db {

struct applied_migration {
    std::uint32_t number = 0;
    std::string name;
    std::string checksum;
    std::string applied_at;
};
RONDO_DESCRIBE(applied_migration, number, name, checksum, applied_at);

namespace {

// The advisory lock of all migration runs: "rondo" in ASCII.
constexpr std::int64_t lock_key = 0x726f6e646f;

std::string read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::invalid_argument(fmt::format("cannot read migration {}", path.string()));
    return {std::istreambuf_iterator<char>(in), {}};
}

migration read_migration(const std::filesystem::path& path) {
    migration m;
    m.name = path.filename().string();
    const char* const begin = m.name.data();
    const auto [end, error] = std::from_chars(begin, begin + m.name.size(), m.number);
    if (error != std::errc() || *end != '_' || m.number == 0) {
        throw std::invalid_argument(
            fmt::format("migration {} has no number: name it like 0001_create_users.sql, 0002_...", path.string()));
    }
    m.sql = read_file(path);
    m.checksum = codec::hex(codec::sha256(m.sql));
    return m;
}

task<std::vector<applied_migration>> read_applied(database_state& state, session& connection) {
    const result r = co_await state.run_on_loop(connection.query(
        "select number, name, checksum, applied_at from rondo_migrations order by number", parameters()));
    co_return r.as<applied_migration>();
}

task<void> make_table(database_state& state, session& connection) {
    co_await state.run_on_loop(connection.execute_script(
        "create table if not exists rondo_migrations (number integer primary key, name text not null, "
        "checksum text not null, applied_at text not null)"));
}

task<bool> has_table(database& db) {
    task<result> query = db.kind() == database_kind::postgres
                             ? db.query("select count(*) from pg_class where oid = to_regclass('rondo_migrations')")
                             : db.query("select count(*) from sqlite_master where name = 'rondo_migrations'");
    const result r = co_await std::move(query);
    co_return r.scalar<int>() > 0;
}

std::vector<migration_status> compare_with_applied(const std::vector<migration>& files,
                                                   const std::vector<applied_migration>& already_applied) {
    std::map<std::uint32_t, migration_status> statuses;
    for (const applied_migration& a : already_applied)
        statuses[a.number] = {a.number, a.name, migration_state::missing, a.applied_at};
    const std::uint32_t last = already_applied.empty() ? 0 : already_applied.back().number;
    for (const migration& m : files) {
        const auto match = std::ranges::find(already_applied, m.number, &applied_migration::number);
        migration_status& s = statuses[m.number];
        s.number = m.number;
        s.name = m.name;
        if (match == already_applied.end())
            s.state = m.number < last ? migration_state::out_of_order : migration_state::pending;
        else s.state = match->checksum == m.checksum ? migration_state::applied : migration_state::changed;
    }
    std::vector<migration_status> out;
    for (auto& [number, s] : statuses) out.push_back(std::move(s));
    return out;
}

void refuse_inconsistent(const std::vector<migration_status>& statuses) {
    for (const migration_status& s : statuses) {
        switch (s.state) {
            case migration_state::changed:
                throw error(
                    fmt::format("migration {} was changed after it was applied at {}: restore the file and make the "
                                "change in a new migration",
                                s.name, s.applied_at));
            case migration_state::missing:
                throw error(
                    fmt::format("migration {} was applied at {} but its file does not exist: the program is older than "
                                "the database, or the file was removed",
                                s.name, s.applied_at));
            case migration_state::out_of_order:
                throw error(
                    fmt::format("migration {} was not applied, but later ones were: give it the next number", s.name));
            default: break;
        }
    }
}

std::string current_timestamp() {
    std::string text;
    (void)append_timestamp(text, std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()));
    return text.substr(0, 19);
}

// In a transaction unless the migration forbids it. Returns false when another process has applied it.
task<bool> apply(database_state& state, session& connection, const migration& m) {
    if (!m.runs_outside_transaction()) co_await state.run_on_loop(connection.begin({}));
    const std::vector<applied_migration> already_applied = co_await read_applied(state, connection);
    if (std::ranges::find(already_applied, m.number, &applied_migration::number) != already_applied.end()) {
        if (!m.runs_outside_transaction()) co_await state.run_on_loop(connection.rollback());
        co_return false;
    }
    co_await state.run_on_loop(connection.execute_script(m.sql));
    (void)co_await state.run_on_loop(
        connection.query("insert into rondo_migrations (number, name, checksum, applied_at) values ($1, $2, $3, $4)",
                         parameters(m.number, m.name, m.checksum, current_timestamp())));
    if (!m.runs_outside_transaction()) co_await state.run_on_loop(connection.commit());
    co_return true;
}

}  // namespace

bool migration::runs_outside_transaction() const noexcept {
    return std::string_view(sql).starts_with("-- rondo: no transaction");
}

std::vector<migration> read_migrations(const std::string& folder) {
    std::error_code error;
    std::filesystem::directory_iterator entries(folder, error);
    if (error) {
        throw std::invalid_argument(
            fmt::format("cannot read the migrations folder '{}': {}: create it, or correct the setting "
                        "migrations",
                        folder, error.message()));
    }
    std::vector<migration> migrations;
    for (const auto& entry : entries)
        if (entry.path().extension() == ".sql") migrations.push_back(read_migration(entry.path()));
    std::ranges::sort(migrations, {}, [](const migration& m) { return std::pair(m.number, m.name); });
    const auto duplicate = std::ranges::adjacent_find(migrations, {}, &migration::number);
    if (duplicate != migrations.end()) {
        throw std::invalid_argument(
            fmt::format("migrations {} and {} have the same number: give one of them the next free number",
                        duplicate->name, std::next(duplicate)->name));
    }
    return migrations;
}

task<std::vector<migration_status>> read_migration_status(database& db, std::vector<migration> files) {
    const bool has_migrations = co_await has_table(db);
    if (!has_migrations) co_return compare_with_applied(files, {});
    const result r =
        co_await db.query("select number, name, checksum, applied_at from rondo_migrations order by number");
    co_return compare_with_applied(files, r.as<applied_migration>());
}

task<std::vector<std::string>> migrate(database& db, std::vector<migration> files) {
    // A dedicated connection: closing it releases the lock, whatever happens.
    session_lease lease = co_await db.dedicated_connection();
    database_state& state = lease.state();
    session& connection = *lease;
    if (db.kind() == database_kind::postgres)
        (void)co_await state.run_on_loop(connection.query("select pg_advisory_lock($1)", parameters(lock_key)));
    co_await make_table(state, connection);
    const std::vector<applied_migration> already_applied = co_await read_applied(state, connection);
    refuse_inconsistent(compare_with_applied(files, already_applied));
    std::vector<std::string> names;
    for (const migration& m : files) {
        std::string failure;
        bool applied = false;
        try {
            applied = co_await apply(state, connection, m);
        } catch (const error& e) {
            failure = e.what();
        }
        if (!failure.empty())
            throw error(fmt::format(
                "migration {} failed and {}: {}", m.name,
                m.runs_outside_transaction() ? "its earlier statements may remain applied" : "was rolled back",
                failure));
        if (applied) names.push_back(m.name);
    }
    co_return names;
}

}  // namespace rondo::db
