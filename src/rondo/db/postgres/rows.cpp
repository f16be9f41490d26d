// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/rows.hpp>

#include <libpq-fe.h>

#include <charconv>
#include <string_view>

namespace rondo::db::postgres {

namespace {

sql_value value_at(const PGresult* r, int row, int column) noexcept {
    sql_value c;
    if (PQgetisnull(r, row, column)) return c;
    c.kind = value_kind::text;
    c.type = PQftype(r, column);
    c.text = {PQgetvalue(r, row, column), static_cast<std::size_t>(PQgetlength(r, row, column))};
    return c;
}

std::uint64_t affected_rows(PGresult* r) noexcept {
    const std::string_view text = PQcmdTuples(r);
    std::uint64_t count = 0;
    std::from_chars(text.data(), text.data() + text.size(), count);
    return count;
}

class whole_result final : public rows {
public:
    explicit whole_result(result_ptr r) noexcept : result_(std::move(r)) {}
    std::size_t size() const noexcept override { return static_cast<std::size_t>(PQntuples(result_.get())); }
    std::size_t columns() const noexcept override { return static_cast<std::size_t>(PQnfields(result_.get())); }
    std::string_view name(std::size_t column) const noexcept override {
        return PQfname(result_.get(), static_cast<int>(column));
    }
    sql_value at(std::size_t row, std::size_t column) const noexcept override {
        return value_at(result_.get(), static_cast<int>(row), static_cast<int>(column));
    }
    std::uint64_t affected() const noexcept override { return affected_rows(result_.get()); }

private:
    result_ptr result_;
};

class single_row_results final : public rows {
public:
    explicit single_row_results(std::vector<result_ptr> results) noexcept : results_(std::move(results)) {}
    std::size_t size() const noexcept override { return results_.size(); }
    std::size_t columns() const noexcept override {
        return static_cast<std::size_t>(PQnfields(results_.front().get()));
    }
    std::string_view name(std::size_t column) const noexcept override {
        return PQfname(results_.front().get(), static_cast<int>(column));
    }
    sql_value at(std::size_t row, std::size_t column) const noexcept override {
        return value_at(results_[row].get(), 0, static_cast<int>(column));
    }
    std::uint64_t affected() const noexcept override { return results_.size(); }

private:
    std::vector<result_ptr> results_;
};

}  // namespace

void result_deleter::operator()(pg_result* r) const noexcept { PQclear(r); }

result make_result(result_ptr r) { return result(std::make_unique<whole_result>(std::move(r))); }

result make_result(std::vector<result_ptr> results) {
    if (results.empty()) return {};
    return result(std::make_unique<single_row_results>(std::move(results)));
}

}  // namespace rondo::db::postgres
