// SPDX-License-Identifier: Apache-2.0
// Binds C++ values to the parameters of an SQLite statement.
#pragma once

#include <string_view>

#include <rondo/db/parameters.hpp>

struct sqlite3_stmt;

namespace rondo::db::sqlite {

/// Binds the values, which must outlive the execution. Throws error when their number differs from the parameters of
/// the statement, and for a value that SQLite would alter: NaN, an integer beyond std::int64_t, a time out of range,
/// or, in arrays (stored as JSON), anything that JSON cannot express. `utf8`: the database encoding is UTF-8, not
/// UTF-16.
void bind(sqlite3_stmt* prepared, const parameters& values, std::string_view sql, bool utf8);

}  // namespace rondo::db::sqlite
