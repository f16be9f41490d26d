// SPDX-License-Identifier: Apache-2.0
// Turns failures reported by libpq into exceptions and messages with a remedy.
#pragma once

#include <exception>
#include <string>
#include <string_view>

struct pg_result;

namespace rondo::db::postgres {

/// Returns the error that a result reports for this statement.
[[nodiscard]] std::exception_ptr make_error(const pg_result* result, std::string_view statement);

/// Returns the error for a statement in flight when its connection was lost.
[[nodiscard]] std::exception_ptr make_connection_lost(std::string_view statement, std::string_view why);

/// Why connecting failed.
struct connect_failure {
    std::string message;
    std::string code;        ///< SQLSTATE, when the server sent one
    bool permanent = false;  ///< retrying does not help: wrong password, unknown database
};
/// `message` is a libpq message in PQERRORS_VERBOSE format; `url` must not contain a password.
[[nodiscard]] connect_failure explain_connect_failure(std::string_view message, std::string_view url);

/// Returns a libpq message as a single line.
[[nodiscard]] std::string to_single_line(std::string_view message);

}  // namespace rondo::db::postgres
