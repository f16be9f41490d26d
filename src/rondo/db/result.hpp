// SPDX-License-Identifier: Apache-2.0
// The rows of a statement, and how they are read into structs, tuples and single values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <rondo/codec/describe.hpp>
#include <rondo/db/value.hpp>

namespace rondo::db {

/// Access to a result as the client library of a database stores it.
class rows {
public:
    virtual ~rows() = default;
    [[nodiscard]] virtual std::size_t size() const noexcept = 0;
    [[nodiscard]] virtual std::size_t columns() const noexcept = 0;
    [[nodiscard]] virtual std::string_view name(std::size_t column) const noexcept = 0;
    [[nodiscard]] virtual sql_value at(std::size_t row, std::size_t column) const noexcept = 0;
    [[nodiscard]] virtual std::uint64_t affected() const noexcept = 0;
};

namespace detail {

template <class T>
inline constexpr bool is_tuple = false;
template <class... Ts>
inline constexpr bool is_tuple<std::tuple<Ts...>> = true;

/// The index of the column that each member is read from.
template <codec::described T>
using column_indices = std::array<std::size_t, codec::member_count<T>>;

/// Returns the column of this name; throws result_mismatch when there is none.
[[nodiscard]] std::size_t find_column(const rows& from, std::string_view name);
[[noreturn]] void refuse_value(const rows& from, std::size_t row, std::size_t column, const char* expected);
void require_column_count(const rows& from, std::size_t expected);
[[noreturn]] void refuse_row_count(std::size_t rows, const char* expected);

/// The name of a type in messages.
template <class T>
constexpr const char* type_name() noexcept {
    if constexpr (std::is_same_v<T, bool>) return "true or false";
    else if constexpr (std::is_integral_v<T>) return "an integer in range";
    else if constexpr (std::is_floating_point_v<T>) return "a number";
    else if constexpr (std::is_same_v<T, codec::json_value>) return "JSON";
    else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) return "text";
    else return "a value of the type it is read into";
}

template <column_value T>
void read_column(const rows& from, std::size_t row, std::size_t column, T& value) {
    if (!read_value(from.at(row, column), value)) refuse_value(from, row, column, type_name<T>());
}

template <codec::described T>
column_indices<T> find_columns(const rows& from) {
    return std::apply([&](const auto&... m) { return column_indices<T>{find_column(from, m.name)...}; },
                      codec::members<T>);
}

template <codec::described T>
void read_members(const rows& from, std::size_t row, const column_indices<T>& indices, T& into) {
    std::size_t i = 0;
    codec::for_each_member(into, [&](std::string_view, auto& value) { read_column(from, row, indices[i++], value); });
}

}  // namespace detail

/// A type that a row can be read into: a described struct by column names (extra columns are ignored), a std::tuple by
/// column order, or, for one column, a single value (std::optional allows null).
template <class T>
concept row_value = codec::described<T> || detail::is_tuple<T> || column_value<T>;

namespace detail {

template <class T>
struct columns_type {
    using type = std::size_t;
};
template <codec::described T>
struct columns_type<T> {
    using type = column_indices<T>;
};

/// Reads the rows of one result into T; columns are looked up once.
template <row_value T>
class row_reader {
    using columns = typename columns_type<T>::type;

public:
    explicit row_reader(const rows& from) : rows_(from), columns_() {
        if constexpr (codec::described<T>) columns_ = find_columns<T>(from);
        else if constexpr (is_tuple<T>) require_column_count(from, std::tuple_size_v<T>);
        else require_column_count(from, 1);
    }
    [[nodiscard]] T read(std::size_t row) const {
        T value{};
        if constexpr (codec::described<T>) {
            read_members(rows_, row, columns_, value);
        } else if constexpr (is_tuple<T>) {
            std::size_t column = 0;
            std::apply([&](auto&... v) { (read_column(rows_, row, column++, v), ...); }, value);
        } else {
            read_column(rows_, row, 0, value);
        }
        return value;
    }

private:
    const rows& rows_;
    columns columns_;
};

}  // namespace detail

/// A row of a result; valid as long as the result. Columns are addressed by name or by index from 0; throws
/// result_mismatch when the column does not exist or its value is not a T.
class row {
public:
    row(const rows& source, std::size_t index) noexcept : rows_(&source), index_(index) {}

    template <row_value T>
    [[nodiscard]] T as() const {
        return detail::row_reader<T>(*rows_).read(index_);
    }
    template <column_value T>
    [[nodiscard]] T value(std::string_view column) const {
        return value<T>(detail::find_column(*rows_, column));
    }
    template <column_value T>
    [[nodiscard]] T value(std::size_t column) const {
        if (column >= rows_->columns()) detail::require_column_count(*rows_, column + 1);
        T read{};
        detail::read_column(*rows_, index_, column, read);
        return read;
    }
    [[nodiscard]] bool is_null(std::string_view column) const {
        return rows_->at(index_, detail::find_column(*rows_, column)).kind == value_kind::null;
    }

private:
    const rows* rows_;
    std::size_t index_;
};

/// The rows of a statement, all in memory. Move-only; may move between threads.
class result {
public:
    class iterator;

    /// No rows.
    result() noexcept = default;
    explicit result(std::unique_ptr<rows> content) noexcept : rows_(std::move(content)) {}

    [[nodiscard]] std::size_t size() const noexcept { return rows_ ? rows_->size() : 0; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] std::size_t columns() const noexcept { return rows_ ? rows_->columns() : 0; }
    /// The name of a column. Precondition: column < columns().
    [[nodiscard]] std::string_view name(std::size_t column) const noexcept { return rows_->name(column); }
    /// Number of rows inserted, updated or deleted; for a select the number of rows returned.
    [[nodiscard]] std::uint64_t affected() const noexcept { return rows_ ? rows_->affected() : 0; }

    /// Precondition: index < size().
    [[nodiscard]] row operator[](std::size_t index) const noexcept { return {*rows_, index}; }
    [[nodiscard]] iterator begin() const noexcept;
    [[nodiscard]] iterator end() const noexcept;

    /// Returns all rows. Throws result_mismatch, like the functions below.
    template <row_value T>
    [[nodiscard]] std::vector<T> as() const;
    /// Returns the only row; throws when there are none or several.
    template <row_value T>
    [[nodiscard]] T one() const {
        if (size() != 1) detail::refuse_row_count(size(), "exactly one");
        return detail::row_reader<T>(*rows_).read(0);
    }
    /// Returns the only row, or std::nullopt when there is none; throws when there are several.
    template <row_value T>
    [[nodiscard]] std::optional<T> optional() const {
        if (size() > 1) detail::refuse_row_count(size(), "at most one");
        if (empty()) return std::nullopt;
        return detail::row_reader<T>(*rows_).read(0);
    }
    /// Returns the only value of the only row.
    template <column_value T>
    [[nodiscard]] T scalar() const {
        return one<T>();
    }

    [[nodiscard]] const rows* row_data() const noexcept { return rows_.get(); }

private:
    std::unique_ptr<rows> rows_;
};

class result::iterator {
public:
    using difference_type = std::ptrdiff_t;
    using value_type = row;

    iterator() noexcept = default;
    iterator(const rows* source, std::size_t index) noexcept : rows_(source), index_(index) {}
    [[nodiscard]] row operator*() const noexcept { return {*rows_, index_}; }
    iterator& operator++() noexcept {
        ++index_;
        return *this;
    }
    iterator operator++(int) noexcept { return {rows_, index_++}; }
    friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.index_ == b.index_; }

private:
    const rows* rows_ = nullptr;
    std::size_t index_ = 0;
};

inline result::iterator result::begin() const noexcept { return {rows_.get(), 0}; }
inline result::iterator result::end() const noexcept { return {rows_.get(), size()}; }

template <row_value T>
std::vector<T> result::as() const {
    std::vector<T> results;
    if (!rows_) return results;
    const detail::row_reader<T> reader(*rows_);
    results.reserve(size());
    for (std::size_t i = 0; i < size(); ++i) results.push_back(reader.read(i));
    return results;
}

}  // namespace rondo::db
