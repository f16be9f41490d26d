// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace rondo::db {

class dynamic_sql;

/// An SQL statement that stands in the program's text: a string literal and nothing else, so that no value can have
/// been written into it (that does not compile). Values are parameters: $1, $2, ... with every database.
/// One statement; script() runs several.
class statement {
public:
    template <std::size_t Size>
    consteval statement(const char (&literal)[Size]) noexcept : statement(std::string_view(literal, Size - 1)) {}
    /// Refers to the text of `sql`, which must outlive this.
    explicit statement(const dynamic_sql& sql) noexcept;

    [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }
    /// Of the text; the same in every process.
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

/// A statement made at run time: `db::dynamic_sql("select ... order by " + column)`. Make it of names your program
/// knows, never of what came from outside: that is what parameters are for.
class dynamic_sql {
public:
    explicit dynamic_sql(std::string text) noexcept : text_(std::move(text)) {}
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    std::string text_;
};

inline statement::statement(const dynamic_sql& sql) noexcept : statement(std::string_view(sql.text())) {}

}  // namespace rondo::db
