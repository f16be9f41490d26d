// SPDX-License-Identifier: Apache-2.0
// Turns SQLite errors into exceptions.
#pragma once

#include <string_view>

struct sqlite3;

namespace rondo::db::sqlite {

/// Throws the last error of the connection as an exception for this statement.
[[noreturn]] void throw_error(sqlite3* database, std::string_view statement);

}  // namespace rondo::db::sqlite
