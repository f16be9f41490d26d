// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/rows.hpp>

#include <libpq-fe.h>

#include <charconv>
#include <string_view>

namespace rondo::db::postgres {

namespace {

cell cell_of(const PGresult* r, int row, int column) noexcept {
    cell c;
    if (PQgetisnull(r, row, column)) return c;
    c.kind = cell_kind::text;
    c.type = PQftype(r, column);
    c.text = {PQgetvalue(r, row, column), static_cast<std::size_t>(PQgetlength(r, row, column))};
    return c;
}

std::uint64_t affected_by(PGresult* r) noexcept {
    const std::string_view text = PQcmdTuples(r);
    std::uint64_t count = 0;
    std::from_chars(text.data(), text.data() + text.size(), count);
    return count;
}

class whole final : public rows {
public:
    explicit whole(result_ptr r) noexcept : result_(std::move(r)) {}
    std::size_t size() const noexcept override { return static_cast<std::size_t>(PQntuples(result_.get())); }
    std::size_t columns() const noexcept override { return static_cast<std::size_t>(PQnfields(result_.get())); }
    std::string_view name(std::size_t column) const noexcept override {
        return PQfname(result_.get(), static_cast<int>(column));
    }
    cell at(std::size_t row, std::size_t column) const noexcept override {
        return cell_of(result_.get(), static_cast<int>(row), static_cast<int>(column));
    }
    std::uint64_t affected() const noexcept override { return affected_by(result_.get()); }

private:
    result_ptr result_;
};

class singles final : public rows {
public:
    explicit singles(std::vector<result_ptr> results) noexcept : all_(std::move(results)) {}
    std::size_t size() const noexcept override { return all_.size(); }
    std::size_t columns() const noexcept override { return static_cast<std::size_t>(PQnfields(all_.front().get())); }
    std::string_view name(std::size_t column) const noexcept override {
        return PQfname(all_.front().get(), static_cast<int>(column));
    }
    cell at(std::size_t row, std::size_t column) const noexcept override {
        return cell_of(all_[row].get(), 0, static_cast<int>(column));
    }
    std::uint64_t affected() const noexcept override { return all_.size(); }

private:
    std::vector<result_ptr> all_;
};

}  // namespace

void result_deleter::operator()(pg_result* r) const noexcept { PQclear(r); }

result rows_of(result_ptr r) { return result(std::make_unique<whole>(std::move(r))); }

result rows_of(std::vector<result_ptr> results) {
    if (results.empty()) return {};
    return result(std::make_unique<singles>(std::move(results)));
}

}  // namespace rondo::db::postgres
