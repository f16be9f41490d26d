// SPDX-License-Identifier: Apache-2.0
// Rows copied from an SQLite statement.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <rondo/db/result.hpp>

struct sqlite3_stmt;

namespace rondo::db::sqlite {

/// Stores rows copied from a statement.
class result_table final : public rows {
public:
    explicit result_table(sqlite3_stmt* source);
    /// Copies the current row of the statement.
    void add(sqlite3_stmt* source);
    void affected(std::uint64_t count) noexcept { affected_ = count; }

    std::size_t size() const noexcept override { return names_.empty() ? 0 : values_.size() / names_.size(); }
    std::size_t columns() const noexcept override { return names_.size(); }
    std::string_view name(std::size_t column) const noexcept override { return names_[column]; }
    sql_value at(std::size_t row, std::size_t column) const noexcept override;
    std::uint64_t affected() const noexcept override { return affected_; }

private:
    struct stored_value {
        value_kind kind = value_kind::null;
        std::uint32_t size = 0;
        union {
            std::int64_t integer = 0;
            double real;
            std::size_t offset;
        };
    };

    std::vector<std::string> names_;
    std::vector<stored_value> values_;
    std::string bytes_;
    std::uint64_t affected_ = 0;
};

}  // namespace rondo::db::sqlite
