// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

struct sqlite3;

namespace rondo::db::sqlite {

/// Throws what went wrong last, about this statement.
[[noreturn]] void throw_failure(sqlite3* database, std::string_view statement);

}  // namespace rondo::db::sqlite
