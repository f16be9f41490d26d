// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/sqlite/errors.hpp>

#include <sqlite3.h>

#include <string>

#include <fmt/format.h>

#include <rondo/db/error.hpp>

namespace rondo::db::sqlite {

namespace {

std::string result_code_name(int code) {
    switch (code) {
        case SQLITE_CONSTRAINT_UNIQUE: return "SQLITE_CONSTRAINT_UNIQUE";
        case SQLITE_CONSTRAINT_PRIMARYKEY: return "SQLITE_CONSTRAINT_PRIMARYKEY";
        case SQLITE_CONSTRAINT_ROWID: return "SQLITE_CONSTRAINT_ROWID";
        case SQLITE_CONSTRAINT_FOREIGNKEY: return "SQLITE_CONSTRAINT_FOREIGNKEY";
        case SQLITE_CONSTRAINT_NOTNULL: return "SQLITE_CONSTRAINT_NOTNULL";
        case SQLITE_CONSTRAINT_CHECK: return "SQLITE_CONSTRAINT_CHECK";
        case SQLITE_CONSTRAINT_DATATYPE: return "SQLITE_CONSTRAINT_DATATYPE";
        default: break;
    }
    switch (code & 0xff) {
        case SQLITE_ERROR: return "SQLITE_ERROR";
        case SQLITE_BUSY: return "SQLITE_BUSY";
        case SQLITE_LOCKED: return "SQLITE_LOCKED";
        case SQLITE_READONLY: return "SQLITE_READONLY";
        case SQLITE_INTERRUPT: return "SQLITE_INTERRUPT";
        case SQLITE_IOERR: return "SQLITE_IOERR";
        case SQLITE_CORRUPT: return "SQLITE_CORRUPT";
        case SQLITE_FULL: return "SQLITE_FULL";
        case SQLITE_CANTOPEN: return "SQLITE_CANTOPEN";
        case SQLITE_CONSTRAINT: return "SQLITE_CONSTRAINT";
        case SQLITE_NOTADB: return "SQLITE_NOTADB";
        case SQLITE_TOOBIG: return "SQLITE_TOOBIG";
        default: return fmt::format("SQLite {}", code);
    }
}

std::string_view error_hint(int code, std::string_view message) {
    if (message.starts_with("no such table") || message.starts_with("no such column"))
        return ": create it with a migration (APP migrate), or correct its name";
    if (code == SQLITE_BUSY) return ": another process has locked the file for longer than the timeout";
    if (code == SQLITE_NOTADB) return ": the file is not an SQLite database; correct the database URL";
    return {};
}

// The text after the colon of "UNIQUE constraint failed: people.name".
std::string parse_constraint(std::string_view message) {
    const std::size_t colon = message.find(": ");
    return std::string(colon == std::string_view::npos ? std::string_view() : message.substr(colon + 2));
}

}  // namespace

void throw_error(sqlite3* database, std::string_view statement) {
    const int code = sqlite3_extended_errcode(database);
    const std::string message = sqlite3_errmsg(database);
    const std::string name = result_code_name(code);
    const std::string description = fmt::format("SQLite: {}{} [{}]", message, error_hint(code & 0xff, message), name);
    std::string sql(statement);
    switch (code) {
        case SQLITE_CONSTRAINT_UNIQUE:
        case SQLITE_CONSTRAINT_PRIMARYKEY:
        case SQLITE_CONSTRAINT_ROWID: throw unique_violation(description, name, sql, parse_constraint(message));
        case SQLITE_CONSTRAINT_FOREIGNKEY:
            throw foreign_key_violation(description, name, sql, parse_constraint(message));
        default: break;
    }
    switch (code & 0xff) {
        case SQLITE_CONSTRAINT: throw constraint_violation(description, name, sql, parse_constraint(message));
        case SQLITE_BUSY:
        case SQLITE_LOCKED: throw transaction_conflict(description, name, sql);
        case SQLITE_INTERRUPT: throw statement_cancelled(description, name, sql);
        default: throw error(description, name, sql);
    }
}

}  // namespace rondo::db::sqlite
