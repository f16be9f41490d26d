// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/result.hpp>

#include <fmt/format.h>

#include <rondo/db/error.hpp>

namespace rondo::db::detail {

namespace {

std::string names_of(const rows& from) {
    std::string names;
    for (std::size_t i = 0; i < from.columns(); ++i) {
        if (i > 0) names += ", ";
        names += from.name(i);
    }
    return names.empty() ? "none" : names;
}

std::string shown(const cell& value) {
    std::string text;
    if (!read_cell(value, text)) return "null";
    if (text.size() > 60) text = text.substr(0, 57) + "...";
    return fmt::format("'{}'", text);
}

}  // namespace

std::size_t column_of(const rows& from, std::string_view name) {
    for (std::size_t i = 0; i < from.columns(); ++i)
        if (from.name(i) == name) return i;
    throw result_mismatch(
        fmt::format("the result has no column '{}' (it has: {}): name it in the select, with 'as {}' "
                    "if it is called otherwise",
                    name, names_of(from), name));
}

void refuse_cell(const rows& from, std::size_t row, std::size_t column, const char* wanted) {
    const cell value = from.at(row, column);
    if (value.kind == cell_kind::null)
        throw result_mismatch(
            fmt::format("the column '{}' is null in row {}: read it into a std::optional", from.name(column), row + 1));
    throw result_mismatch(
        fmt::format("{} in the column '{}', row {}, is not {}", shown(value), from.name(column), row + 1, wanted));
}

void require_columns(const rows& from, std::size_t wanted) {
    if (from.columns() == wanted) return;
    throw result_mismatch(fmt::format("the result has {} columns ({}), and it is read into {}", from.columns(),
                                      names_of(from), wanted == 1 ? "one value" : fmt::format("{} values", wanted)));
}

void refuse_count(std::size_t rows, const char* wanted) {
    throw result_mismatch(fmt::format("the statement gave {} rows and not {}", rows, wanted));
}

}  // namespace rondo::db::detail
