// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rondo::db {

enum class kind : std::uint8_t { postgres, sqlite };

/// Where a database is.
struct location {
    db::kind kind = db::kind::sqlite;
    std::string text;  ///< PostgreSQL: the URL as it was given; SQLite: the path, or ":memory:"
};

/// "postgres://user:password@host:port/name?option=value" (postgresql:// too), "sqlite:path/to/file" or
/// "sqlite::memory:". Throws std::invalid_argument with a sentence that says what is wrong.
[[nodiscard]] location parse_url(std::string_view url);

/// The URL without its password, for logs.
[[nodiscard]] std::string shown_url(std::string_view url);

}  // namespace rondo::db
