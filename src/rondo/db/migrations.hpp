// SPDX-License-Identifier: Apache-2.0
// Schema migrations: reads numbered SQL files, compares them with the database and applies the pending ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rondo/coro/task.hpp>
#include <rondo/db/database.hpp>

namespace rondo::db {

/// A schema change: a file 0001_name.sql with any number of statements.
struct migration {
    std::uint32_t number = 0;
    std::string name;  ///< file name
    std::string sql;
    std::string checksum;  ///< SHA-256 of the file, hexadecimal

    /// The file starts with the line "-- rondo: no transaction": for a statement that PostgreSQL does not allow in a
    /// transaction (create index concurrently), which must be the only one in its file.
    [[nodiscard]] bool runs_outside_transaction() const noexcept;
};

/// Reads the migrations of a folder, ordered by number. Blocks. Throws std::invalid_argument with a user-facing message
/// when the folder cannot be read, a name has no number or two files have the same number. Ignores files whose names do
/// not end in .sql.
[[nodiscard]] std::vector<migration> read_migrations(const std::string& folder);

enum class migration_state : std::uint8_t {
    applied,
    pending,       ///< not yet applied
    changed,       ///< the file changed after it was applied
    missing,       ///< applied, but the file does not exist
    out_of_order,  ///< not applied, but a later one is
};

struct migration_status {
    std::uint32_t number = 0;
    std::string name;
    migration_state state = migration_state::pending;
    std::string applied_at;  ///< UTC; empty when not applied
};

/// Returns the status of each migration, ordered by number. Changes nothing.
[[nodiscard]] task<std::vector<migration_status>> read_migration_status(database& db, std::vector<migration> files);

/// Applies the pending migrations in order, each in its own transaction together with its record in the table
/// rondo_migrations, and returns the names of those applied. Concurrent runs on the same database wait, then find them
/// applied. Throws error when a migration fails (earlier ones stay applied), and before applying any when one is
/// changed, missing or out of order.
[[nodiscard]] task<std::vector<std::string>> migrate(database& db, std::vector<migration> files);

}  // namespace rondo::db
