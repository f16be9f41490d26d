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
    [[nodiscard]] virtual cell at(std::size_t row, std::size_t column) const noexcept = 0;
    [[nodiscard]] virtual std::uint64_t affected() const noexcept = 0;
};

namespace detail {

template <class T>
inline constexpr bool is_tuple = false;
template <class... Ts>
inline constexpr bool is_tuple<std::tuple<Ts...>> = true;

/// The index of the column that each member is read from.
template <codec::described T>
using column_places = std::array<std::size_t, codec::member_count<T>>;

/// Returns the column of this name; throws result_mismatch when there is none.
[[nodiscard]] std::size_t column_of(const rows& from, std::string_view name);
[[noreturn]] void refuse_cell(const rows& from, std::size_t row, std::size_t column, const char* expected);
void require_columns(const rows& from, std::size_t expected);
[[noreturn]] void refuse_count(std::size_t rows, const char* expected);

/// The name of a type in messages.
template <class T>
constexpr const char* name_of() noexcept {
    if constexpr (std::is_same_v<T, bool>) return "true or false";
    else if constexpr (std::is_integral_v<T>) return "an integer in range";
    else if constexpr (std::is_floating_point_v<T>) return "a number";
    else if constexpr (std::is_same_v<T, codec::json_value>) return "JSON";
    else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) return "text";
    else return "a value of the type it is read into";
}

template <column_value T>
void read_column(const rows& from, std::size_t row, std::size_t column, T& value) {
    if (!read_cell(from.at(row, column), value)) refuse_cell(from, row, column, name_of<T>());
}

template <codec::described T>
column_places<T> places_of(const rows& from) {
    return std::apply([&](const auto&... m) { return column_places<T>{column_of(from, m.name)...}; },
                      codec::members<T>);
}

template <codec::described T>
void read_members(const rows& from, std::size_t row, const column_places<T>& places, T& into) {
    std::size_t i = 0;
    codec::for_each_member(into, [&](std::string_view, auto& value) { read_column(from, row, places[i++], value); });
}

}  // namespace detail

/// A type that a row can be read into: a described struct by column names (extra columns are ignored), a std::tuple by
/// column order, or, for one column, a single value (std::optional allows null).
template <class T>
concept row_value = codec::described<T> || detail::is_tuple<T> || column_value<T>;

namespace detail {

template <class T>
struct places_type {
    using type = std::size_t;
};
template <codec::described T>
struct places_type<T> {
    using type = column_places<T>;
};

/// Reads the rows of one result into T; columns are looked up once.
template <row_value T>
class row_reader {
    using places = typename places_type<T>::type;

public:
    explicit row_reader(const rows& from) : from_(from), places_() {
        if constexpr (codec::described<T>) places_ = places_of<T>(from);
        else if constexpr (is_tuple<T>) require_columns(from, std::tuple_size_v<T>);
        else require_columns(from, 1);
    }
    [[nodiscard]] T read(std::size_t row) const {
        T value{};
        if constexpr (codec::described<T>) {
            read_members(from_, row, places_, value);
        } else if constexpr (is_tuple<T>) {
            std::size_t column = 0;
            std::apply([&](auto&... v) { (read_column(from_, row, column++, v), ...); }, value);
        } else {
            read_column(from_, row, 0, value);
        }
        return value;
    }

private:
    const rows& from_;
    places places_;
};

}  // namespace detail

/// A row of a result; valid as long as the result. Columns are addressed by name or by index from 0; throws
/// result_mismatch when the column does not exist or its value is not a T.
class row {
public:
    row(const rows& all, std::size_t index) noexcept : rows_(&all), at_(index) {}

    template <row_value T>
    [[nodiscard]] T as() const {
        return detail::row_reader<T>(*rows_).read(at_);
    }
    template <column_value T>
    [[nodiscard]] T value(std::string_view column) const {
        return value<T>(detail::column_of(*rows_, column));
    }
    template <column_value T>
    [[nodiscard]] T value(std::size_t column) const {
        if (column >= rows_->columns()) detail::require_columns(*rows_, column + 1);
        T read{};
        detail::read_column(*rows_, at_, column, read);
        return read;
    }
    [[nodiscard]] bool is_null(std::string_view column) const {
        return rows_->at(at_, detail::column_of(*rows_, column)).kind == cell_kind::null;
    }

private:
    const rows* rows_;
    std::size_t at_;
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
        if (size() != 1) detail::refuse_count(size(), "exactly one");
        return detail::row_reader<T>(*rows_).read(0);
    }
    /// Returns the only row, or std::nullopt when there is none; throws when there are several.
    template <row_value T>
    [[nodiscard]] std::optional<T> optional() const {
        if (size() > 1) detail::refuse_count(size(), "at most one");
        if (empty()) return std::nullopt;
        return detail::row_reader<T>(*rows_).read(0);
    }
    /// Returns the only value of the only row.
    template <column_value T>
    [[nodiscard]] T scalar() const {
        return one<T>();
    }

    [[nodiscard]] const rows* content() const noexcept { return rows_.get(); }

private:
    std::unique_ptr<rows> rows_;
};

class result::iterator {
public:
    using difference_type = std::ptrdiff_t;
    using value_type = row;

    iterator() noexcept = default;
    iterator(const rows* all, std::size_t index) noexcept : rows_(all), at_(index) {}
    [[nodiscard]] row operator*() const noexcept { return {*rows_, at_}; }
    iterator& operator++() noexcept {
        ++at_;
        return *this;
    }
    iterator operator++(int) noexcept { return {rows_, at_++}; }
    friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.at_ == b.at_; }

private:
    const rows* rows_ = nullptr;
    std::size_t at_ = 0;
};

inline result::iterator result::begin() const noexcept { return {rows_.get(), 0}; }
inline result::iterator result::end() const noexcept { return {rows_.get(), size()}; }

template <row_value T>
std::vector<T> result::as() const {
    std::vector<T> all;
    if (!rows_) return all;
    const detail::row_reader<T> reader(*rows_);
    all.reserve(size());
    for (std::size_t i = 0; i < size(); ++i) all.push_back(reader.read(i));
    return all;
}

}  // namespace rondo::db
