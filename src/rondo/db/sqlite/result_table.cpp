// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/sqlite/result_table.hpp>

#include <sqlite3.h>

namespace rondo::db::sqlite {

result_table::result_table(sqlite3_stmt* source) {
    const int columns = sqlite3_column_count(source);
    for (int i = 0; i < columns; ++i) names_.emplace_back(sqlite3_column_name(source, i));
}

void result_table::add(sqlite3_stmt* source) {
    for (int i = 0; i < static_cast<int>(names_.size()); ++i) {
        stored_value s;
        const int type = sqlite3_column_type(source, i);
        if (type == SQLITE_INTEGER) {
            s.kind = value_kind::integer;
            s.integer = sqlite3_column_int64(source, i);
        } else if (type == SQLITE_FLOAT) {
            s.kind = value_kind::real;
            s.real = sqlite3_column_double(source, i);
        } else if (type != SQLITE_NULL) {
            s.kind = type == SQLITE_TEXT ? value_kind::text : value_kind::bytes;
            // Text is returned as UTF-8, whatever the encoding of the file.
            const auto* bytes = static_cast<const char*>(type == SQLITE_TEXT ? sqlite3_column_text(source, i)
                                                                             : sqlite3_column_blob(source, i));
            s.size = static_cast<std::uint32_t>(sqlite3_column_bytes(source, i));
            s.offset = bytes_.size();
            if (s.size > 0) bytes_.append(bytes, s.size);
        }
        values_.push_back(s);
    }
}

sql_value result_table::at(std::size_t row, std::size_t column) const noexcept {
    const stored_value& s = values_[row * names_.size() + column];
    sql_value c;
    c.kind = s.kind;
    if (s.kind == value_kind::integer) c.integer = s.integer;
    else if (s.kind == value_kind::real) c.real = s.real;
    else if (s.kind != value_kind::null) c.text = std::string_view(bytes_).substr(s.offset, s.size);
    if (s.kind == value_kind::text) c.type = text_type_oid;
    return c;
}

}  // namespace rondo::db::sqlite
