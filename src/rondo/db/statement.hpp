// SPDX-License-Identifier: Apache-2.0
// SQL statements: string literals, and texts built at run time (dynamic_sql).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace rondo::db {

class dynamic_sql;

/// An SQL statement given as a string literal: anything else does not compile, so that no value can be pasted into it.
/// Values are passed as parameters: $1, $2, ... for every database. One statement only; execute_script() runs several.
class statement {
public:
    template <std::size_t Size>
    consteval statement(const char (&literal)[Size]) noexcept : statement(std::string_view(literal, Size - 1)) {}
    /// Refers to the text of `sql`, which must outlive this.
    explicit statement(const dynamic_sql& sql) noexcept;

    [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }
    /// A hash of the text, the same in every process.
    [[nodiscard]] constexpr std::uint64_t hash() const noexcept { return hash_; }

private:
    explicit constexpr statement(std::string_view text) noexcept : text_(text), hash_(hash_of(text)) {}
    static constexpr std::uint64_t hash_of(std::string_view text) noexcept {  // FNV-1a
        std::uint64_t h = 14695981039346656037u;
        for (char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211u;
        return h;
    }

    std::string_view text_;
    std::uint64_t hash_;
};

/// A statement built at run time: `db::dynamic_sql("select ... order by " + column)`. Build it from names that your
/// program knows, never from external input; use parameters for that.
class dynamic_sql {
public:
    explicit dynamic_sql(std::string text) noexcept : text_(std::move(text)) {}
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    std::string text_;
};

inline statement::statement(const dynamic_sql& sql) noexcept : statement(std::string_view(sql.text())) {}

}  // namespace rondo::db
