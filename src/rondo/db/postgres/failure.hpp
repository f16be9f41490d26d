// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <string>
#include <string_view>

struct pg_result;

namespace rondo::db::postgres {

/// The error a result tells of, about this statement.
[[nodiscard]] std::exception_ptr failure_of(const pg_result* result, std::string_view statement);

/// The connection went away while the statement was with the server.
[[nodiscard]] std::exception_ptr lost_with(std::string_view statement, std::string_view why);

/// Why a connection could not be made.
struct connect_failure {
    std::string sentence;
    std::string code;    ///< SQLSTATE when the server said one
    bool final = false;  ///< trying again does not help: a wrong password, no such database
};
/// `message` is libpq's, written with PQERRORS_VERBOSE; `url` has no password.
[[nodiscard]] connect_failure explain_connect_failure(std::string_view message, std::string_view url);

/// libpq's message on one line.
[[nodiscard]] std::string one_line(std::string_view message);

}  // namespace rondo::db::postgres
