// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <rondo/coro/task.hpp>
#include <rondo/db/database.hpp>

namespace rondo::db {

/// A step from one schema to the next: a file 0001_name.sql with any number of statements.
struct migration {
    std::uint32_t number = 0;
    std::string name;  ///< of the file
    std::string sql;
    std::string checksum;  ///< SHA-256 of the file, hexadecimal

    /// The file begins with the line "-- rondo: no transaction": for a statement that PostgreSQL does not allow in one
    /// (create index concurrently). It is the only one in its file.
    [[nodiscard]] bool alone() const noexcept;
};

/// The migrations of a folder by number. Blocks. Throws std::invalid_argument with a sentence: no such folder, a name
/// without a number, two files with one number. Files that do not end in .sql are left out.
[[nodiscard]] std::vector<migration> read_migrations(const std::string& folder);

enum class migration_state : std::uint8_t {
    applied,
    pending,  ///< not applied yet
    changed,  ///< the file is not the one that was applied
    missing,  ///< was applied, and there is no file
    late,     ///< not applied, though a later one is
};

struct migration_status {
    std::uint32_t number = 0;
    std::string name;
    migration_state state = migration_state::pending;
    std::string applied_at;  ///< UTC; empty when it was not
};

/// What is known of each migration, by number. Changes nothing.
[[nodiscard]] task<std::vector<migration_status>> status_of(database& at, std::vector<migration> files);

/// Applies what is pending, in order, each in a transaction of its own together with the note in the table
/// rondo_migrations that it was, and gives the names of those applied now. Whoever else migrates the same database at
/// the same time waits, and then finds it done. Throws error with a sentence when a migration fails (those before it
/// stay applied), and before applying any when one is changed, missing or late.
[[nodiscard]] task<std::vector<std::string>> migrate(database& at, std::vector<migration> files);

}  // namespace rondo::db
