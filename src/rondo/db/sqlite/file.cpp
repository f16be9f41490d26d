// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/sqlite/file.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include <fmt/format.h>

#include <rondo/db/error.hpp>
#include <rondo/db/sqlite/failure.hpp>
#include <rondo/db/sqlite/table.hpp>

namespace rondo::db::sqlite {

namespace {

using namespace std::chrono_literals;

constexpr int steps_between_looks = 1000;

// Ends a statement's run however the scope is left: one that stands open holds its snapshot of the file.
class run_scope {
public:
    explicit run_scope(sqlite3_stmt* s) noexcept : statement_(s) {}
    ~run_scope() {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
    }
    run_scope(const run_scope&) = delete;
    run_scope& operator=(const run_scope&) = delete;

private:
    sqlite3_stmt* statement_;
};

void append_json_element(std::string& out, const parameters& from, std::size_t& at) {
    const parameter& p = from[at++];
    codec::json_writer writer(out);
    switch (p.kind) {
        case parameter_kind::null: writer.value(nullptr); break;
        case parameter_kind::boolean: writer.value(p.integer != 0); break;
        case parameter_kind::integer: writer.value(p.integer); break;
        case parameter_kind::real: writer.value(p.real); break;
        case parameter_kind::text:
        case parameter_kind::bytes: writer.value(from.bytes(p)); break;
        case parameter_kind::json: out += from.bytes(p); break;
        case parameter_kind::time: {
            std::string text;
            (void)append_time(text, time_point(std::chrono::microseconds(p.integer)));
            writer.value(std::string_view(text));
            break;
        }
        case parameter_kind::array:
            out += '[';
            for (std::uint32_t i = 0; i < p.size; ++i) {
                if (i > 0) out += ',';
                append_json_element(out, from, at);
            }
            out += ']';
            break;
    }
}

int bind_text(sqlite3_stmt* made, int place, std::string_view text, sqlite3_destructor_type life) {
    return sqlite3_bind_text64(made, place, text.data(), text.size(), life, SQLITE_UTF8);
}

int bind_entry(sqlite3_stmt* made, int place, const parameters& from, std::size_t at) {
    const parameter& p = from[at];
    switch (p.kind) {
        case parameter_kind::null: return sqlite3_bind_null(made, place);
        case parameter_kind::boolean:
        case parameter_kind::integer: return sqlite3_bind_int64(made, place, p.integer);
        case parameter_kind::real: return sqlite3_bind_double(made, place, p.real);
        case parameter_kind::text:
        case parameter_kind::json: return bind_text(made, place, from.bytes(p), SQLITE_STATIC);
        case parameter_kind::bytes: {
            const std::string_view bytes = from.bytes(p);
            return sqlite3_bind_blob64(made, place, bytes.data() ? bytes.data() : "", bytes.size(), SQLITE_STATIC);
        }
        case parameter_kind::time: {
            std::string text;
            if (!append_time(text, time_point(std::chrono::microseconds(p.integer))))
                throw error("a time parameter is not between the years 1 and 9999");
            return bind_text(made, place, text, SQLITE_TRANSIENT);
        }
        case parameter_kind::array: {
            std::string text;
            append_json_element(text, from, at);
            return bind_text(made, place, text, SQLITE_TRANSIENT);
        }
    }
    return SQLITE_OK;
}

// Which value stands for a parameter of the statement: $3 and ?3 say it, ? counts.
std::size_t number_of(const char* name, int place) {
    if (!name) return static_cast<std::size_t>(place);
    const std::string_view text(name);
    std::size_t number = 0;
    const auto [end, wrong] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
    if (wrong != std::errc() || end != text.data() + text.size() || number == 0)
        throw error(fmt::format("the parameter {} of the statement is not numbered: write $1, $2, ...", text));
    return number;
}

std::vector<std::size_t> places_of(const parameters& values) {
    std::vector<std::size_t> begins;
    for (std::size_t at = 0; at < values.entries();) {
        begins.push_back(at);
        for (std::size_t left = 1; left > 0; --left, ++at)
            if (values[at].kind == parameter_kind::array) left += values[at].size;
    }
    return begins;
}

}  // namespace

void closer::operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }
void closer::operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }

file::file(std::string path, std::chrono::milliseconds busy, std::size_t statements)
    : path_(std::move(path)), busy_(busy), most_statements_(std::max<std::size_t>(statements, 8)) {}

file::~file() = default;

void file::fail(std::string_view sql) { throw_failure(database_.get(), sql); }

void file::open() {
    if (database_) return;
    sqlite3* opened = nullptr;
    constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const int status = sqlite3_open_v2(path_.c_str(), &opened, flags, nullptr);
    std::unique_ptr<sqlite3, closer> owned(opened);
    if (status != SQLITE_OK) {
        throw connection_lost(fmt::format("the SQLite file '{}' cannot be opened: {}: make its folder, let this user "
                                          "write to it, or correct the database URL",
                                          path_, sqlite3_errmsg(opened)),
                              "SQLITE_CANTOPEN");
    }
    database_ = std::move(owned);
    sqlite3_extended_result_codes(opened, 1);
    sqlite3_busy_handler(
        opened, [](void* self, int times) { return static_cast<file*>(self)->wait_for_writer(times) ? 1 : 0; }, this);
    sqlite3_progress_handler(
        opened, steps_between_looks, [](void* self) { return static_cast<file*>(self)->stopped() ? 1 : 0; }, this);
    try {
        // WAL: who reads does not wait for who writes, nor the other way.
        run("pragma journal_mode = wal");
        run("pragma synchronous = full");
        run("pragma foreign_keys = on");
    } catch (...) {
        database_.reset();
        throw;
    }
}

// Called by SQLite each time it finds the file held by another connection.
bool file::wait_for_writer(int times) {
    const auto now = std::chrono::steady_clock::now();
    if (times == 0) busy_since_ = now;
    if (stopped() || now - busy_since_ >= busy_) return false;
    std::this_thread::sleep_for(std::min(1ms * (1 << std::min(times, 4)), 10ms));
    return true;
}

sqlite3_stmt* file::prepare(const statement& s) {
    open();
    if (auto at = statements_.find(s.hash()); at != statements_.end()) {
        if (at->second.text == s.text()) {
            order_.splice(order_.end(), order_, at->second.used);
            return at->second.made.get();
        }
        order_.erase(at->second.used);
        statements_.erase(at);
    }
    sqlite3_stmt* made = nullptr;
    const char* rest = nullptr;
    const int status = sqlite3_prepare_v3(database_.get(), s.text().data(), static_cast<int>(s.text().size()),
                                          SQLITE_PREPARE_PERSISTENT, &made, &rest);
    statement_ptr owned(made);
    if (status != SQLITE_OK) fail(s.text());
    if (!made) throw error("the statement is empty", {}, std::string(s.text()));
    if (std::string_view(rest).find_first_not_of(" \t\r\n;") != std::string_view::npos)
        throw error("there are several statements in one text: run each by itself, or all with script()", {},
                    std::string(s.text()));
    if (statements_.size() >= most_statements_) {
        statements_.erase(order_.front());
        order_.pop_front();
    }
    const auto used = order_.insert(order_.end(), s.hash());
    statements_[s.hash()] = {std::string(s.text()), std::move(owned), used};
    return made;
}

void file::bind(sqlite3_stmt* made, const parameters& values, std::string_view sql) {
    const std::vector<std::size_t> begins = places_of(values);
    const int places = sqlite3_bind_parameter_count(made);
    std::size_t greatest = 0;
    for (int place = 1; place <= places; ++place) {
        // $2 alone is the first parameter of SQLite, ?2 alone the second of two: it has no name for the first.
        const char* name = sqlite3_bind_parameter_name(made, place);
        const std::size_t number = number_of(name, place);
        greatest = std::max(greatest, number);
        if (number <= begins.size() && bind_entry(made, place, values, begins[number - 1]) != SQLITE_OK) fail(sql);
    }
    if (greatest != begins.size()) {
        throw error(fmt::format("the statement has {} parameters and was given {} values", greatest, begins.size()), {},
                    std::string(sql));
    }
}

bool file::only_reads(const statement& s) { return sqlite3_stmt_readonly(prepare(s)) != 0; }

result file::run(const statement& s, const parameters& values) {
    sqlite3_stmt* made = prepare(s);
    const run_scope scope(made);
    bind(made, values, s.text());
    auto rows = std::make_unique<table>(made);
    const int before = sqlite3_total_changes(database_.get());
    for (;;) {
        const int status = sqlite3_step(made);
        if (status == SQLITE_DONE) break;
        if (status != SQLITE_ROW) fail(s.text());
        rows->add(made);
    }
    const bool changes = sqlite3_stmt_readonly(made) == 0;
    rows->affected(changes ? static_cast<std::uint64_t>(sqlite3_total_changes(database_.get()) - before > 0
                                                            ? sqlite3_changes64(database_.get())
                                                            : 0)
                           : rows->size());
    return result(std::move(rows));
}

void file::run(const char* sql) {
    open();
    if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(sql);
}

void file::script(const std::string& sql) { run(sql.c_str()); }

bool file::in_transaction() const noexcept { return database_ && sqlite3_get_autocommit(database_.get()) == 0; }

void file::clean_up() noexcept {
    if (open_rows_) {
        sqlite3_reset(open_rows_);
        sqlite3_clear_bindings(std::exchange(open_rows_, nullptr));
    }
    if (database_ && !sqlite3_get_autocommit(database_.get()))
        sqlite3_exec(database_.get(), "rollback", nullptr, nullptr, nullptr);
}

void file::start(const statement& s, const parameters& values) {
    sqlite3_stmt* made = prepare(s);
    open_rows_ = made;
    open_sql_ = s.text();
    bind(made, values, s.text());
}

result file::next(std::size_t most) {
    if (!open_rows_) return {};
    auto rows = std::make_unique<table>(open_rows_);
    while (rows->size() < most) {
        const int status = sqlite3_step(open_rows_);
        if (status == SQLITE_ROW) {
            rows->add(open_rows_);
            continue;
        }
        if (status != SQLITE_DONE) fail(open_sql_);
        sqlite3_reset(open_rows_);
        sqlite3_clear_bindings(std::exchange(open_rows_, nullptr));
        break;
    }
    return result(std::move(rows));
}

}  // namespace rondo::db::sqlite
