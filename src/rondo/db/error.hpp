// SPDX-License-Identifier: Apache-2.0
// Exceptions that database calls throw, by what the caller can do about them.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

#include <rondo/base/unavailable_error.hpp>

namespace rondo::db {

/// A database error. what() is a message for users.
class error : public std::runtime_error {
public:
    explicit error(const std::string& message, std::string code = {}, std::string statement = {})
        : std::runtime_error(message), code_(std::move(code)), statement_(std::move(statement)) {}

    /// PostgreSQL: the SQLSTATE ("23505"); SQLite: the name of the result code ("SQLITE_CONSTRAINT_UNIQUE"); empty when
    /// the error did not come from the database.
    [[nodiscard]] const std::string& code() const noexcept { return code_; }
    /// The statement that failed, without its parameters; empty when the error concerns no statement.
    [[nodiscard]] const std::string& statement() const noexcept { return statement_; }

private:
    std::string code_;
    std::string statement_;
};

/// A constraint of the schema was violated: unique, foreign key, not null, check, exclusion.
class constraint_violation : public error {
public:
    constraint_violation(const std::string& message, std::string code, std::string statement, std::string constraint)
        : error(message, std::move(code), std::move(statement)), constraint_(std::move(constraint)) {}
    /// The name of the constraint; empty when the database does not report it.
    [[nodiscard]] const std::string& constraint() const noexcept { return constraint_; }

private:
    std::string constraint_;
};
/// A row with this key exists already.
struct unique_violation : constraint_violation {
    using constraint_violation::constraint_violation;
};
/// A referenced row does not exist, or the row is still referenced.
struct foreign_key_violation : constraint_violation {
    using constraint_violation::constraint_violation;
};

/// Two transactions conflicted (serialization failure, deadlock, SQLITE_BUSY): retry the whole transaction.
struct transaction_conflict : error {
    using error::error;
};

/// The database cancelled the statement: statement_timeout, lock_timeout, or an administrator.
struct statement_cancelled : error {
    using error::error;
};

/// No connection: the server cannot be reached, refuses the connection, or closed it while a statement was running. In
/// the last case it is unknown whether the statement took effect.
struct connection_lost : error {
    using error::error;
};

/// Too many callers wait for a connection, or the wait timed out; the statement was not sent. Answered with 503 and
/// Retry-After.
class pool_exhausted : public error, public unavailable_error {
public:
    pool_exhausted(const std::string& message, std::chrono::seconds retry_after)
        : error(message), unavailable_error(retry_after) {}
};

/// The rows, columns or values of a result do not match what they are read into.
struct result_mismatch : error {
    using error::error;
};

}  // namespace rondo::db
