// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

#include <rondo/base/unavailable_error.hpp>

namespace rondo::db {

/// What a database refused, or why it could not be asked. what() is a sentence.
class error : public std::runtime_error {
public:
    explicit error(const std::string& sentence, std::string code = {}, std::string statement = {})
        : std::runtime_error(sentence), code_(std::move(code)), statement_(std::move(statement)) {}

    /// SQLSTATE of PostgreSQL ("23505"), the name of SQLite's result code ("SQLITE_CONSTRAINT_UNIQUE"); empty when the
    /// error is not the database's.
    [[nodiscard]] const std::string& code() const noexcept { return code_; }
    /// The statement it is about, without its parameters; empty when it is about none.
    [[nodiscard]] const std::string& statement() const noexcept { return statement_; }

private:
    std::string code_;
    std::string statement_;
};

/// A constraint of the schema was violated: unique, foreign key, not null, check, exclusion.
class constraint_violation : public error {
public:
    constraint_violation(const std::string& sentence, std::string code, std::string statement, std::string constraint)
        : error(sentence, std::move(code), std::move(statement)), constraint_(std::move(constraint)) {}
    /// Its name, as far as the database says it.
    [[nodiscard]] const std::string& constraint() const noexcept { return constraint_; }

private:
    std::string constraint_;
};
/// There is such a row already.
struct unique_violation : constraint_violation {
    using constraint_violation::constraint_violation;
};
/// A row that is referred to is not there, or the row is still referred to.
struct foreign_key_violation : constraint_violation {
    using constraint_violation::constraint_violation;
};

/// Two transactions were in each other's way (serialization failure, deadlock, SQLite's busy): repeat the whole one.
struct transaction_conflict : error {
    using error::error;
};

/// The database ended the statement: its statement_timeout, its lock_timeout, or an administrator.
struct statement_ended : error {
    using error::error;
};

/// There is no connection: the server cannot be reached or refuses us, or went away while the statement was with it.
/// In the latter case nobody knows whether it was done.
struct connection_lost : error {
    using error::error;
};

/// Too many wait for a connection, or the wait took too long: the statement was not begun. Answer 503 with Retry-After.
class too_busy : public error, public try_later {
public:
    too_busy(const std::string& sentence, std::chrono::seconds retry_after) : error(sentence), try_later(retry_after) {}
};

/// A result has other rows, columns or values than the program asked for.
struct result_mismatch : error {
    using error::error;
};

}  // namespace rondo::db
