// SPDX-License-Identifier: Apache-2.0
// Values of C++ as parameters of SQLite's statements.
#pragma once

#include <string_view>

#include <rondo/db/parameters.hpp>

struct sqlite3_stmt;

namespace rondo::db::sqlite {

/// Gives a statement its values, which must outlive its run. Throws error when they are not as many as its parameters,
/// and for a value that SQLite would not keep as it is: NaN, a whole number beyond std::int64_t, a time out of range,
/// in arrays (which are JSON) whatever JSON has no text for. `utf8`: the database keeps text as UTF-8, not as UTF-16.
void bind(sqlite3_stmt* made, const parameters& values, std::string_view sql, bool utf8);

}  // namespace rondo::db::sqlite
