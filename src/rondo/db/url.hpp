// SPDX-License-Identifier: Apache-2.0
// Parses database URLs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rondo::db {

enum class kind : std::uint8_t { postgres, sqlite };

/// A parsed database URL.
struct location {
    db::kind kind = db::kind::sqlite;
    std::string text;  ///< PostgreSQL: the URL as given; SQLite: the path, or ":memory:"
};

/// Parses "postgres://user:password@host:port/name?option=value" (also postgresql://), "sqlite:path/to/file" or
/// "sqlite::memory:". Throws std::invalid_argument with a user-facing message.
[[nodiscard]] location parse_url(std::string_view url);

/// Returns the URL without its password, for logs.
[[nodiscard]] std::string shown_url(std::string_view url);

}  // namespace rondo::db
