// SPDX-License-Identifier: Apache-2.0
// Parses database URLs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rondo::db {

enum class database_kind : std::uint8_t { postgres, sqlite };

/// A parsed database URL.
struct database_location {
    db::database_kind kind = db::database_kind::sqlite;
    std::string text;  ///< PostgreSQL: the URL as given; SQLite: the path, or ":memory:"
};

/// Parses "postgres://user:password@host:port/name?option=value" (also postgresql://), "sqlite:path/to/file" or
/// "sqlite::memory:". Throws std::invalid_argument with a user-facing message.
[[nodiscard]] database_location parse_url(std::string_view url);

/// Returns the URL without its password, for logs.
[[nodiscard]] std::string redacted_url(std::string_view url);

}  // namespace rondo::db
