// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/result.hpp>

#include <fmt/format.h>

#include <rondo/db/error.hpp>

namespace rondo::db::detail {

namespace {

std::string column_names(const rows& from) {
    std::string names;
    for (std::size_t i = 0; i < from.columns(); ++i) {
        if (i > 0) names += ", ";
        names += from.name(i);
    }
    return names.empty() ? "none" : names;
}

std::string quote_value(const sql_value& value) {
    std::string text;
    if (!read_value(value, text)) return "null";
    if (text.size() > 60) text = text.substr(0, 57) + "...";
    return fmt::format("'{}'", text);
}

}  // namespace

std::size_t find_column(const rows& from, std::string_view name) {
    for (std::size_t i = 0; i < from.columns(); ++i)
        if (from.name(i) == name) return i;
    throw result_mismatch(
        fmt::format("the result has no column '{}', only: {}; select it, or rename a column with 'as {}'", name,
                    column_names(from), name));
}

void refuse_value(const rows& from, std::size_t row, std::size_t column, const char* expected) {
    const sql_value value = from.at(row, column);
    if (value.kind == value_kind::null)
        throw result_mismatch(fmt::format("column '{}', row {}: the value is null; read it into a std::optional",
                                          from.name(column), row + 1));
    throw result_mismatch(
        fmt::format("column '{}', row {}: {} is not {}", from.name(column), row + 1, quote_value(value), expected));
}

void require_column_count(const rows& from, std::size_t expected) {
    if (from.columns() == expected) return;
    throw result_mismatch(fmt::format("the result has {} columns ({}) but is read into {}", from.columns(),
                                      column_names(from),
                                      expected == 1 ? "one value" : fmt::format("{} values", expected)));
}

void refuse_row_count(std::size_t rows, const char* expected) {
    throw result_mismatch(fmt::format("the statement returned {} rows; expected {}", rows, expected));
}

}  // namespace rondo::db::detail
