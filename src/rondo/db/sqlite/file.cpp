// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/sqlite/file.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include <rondo/db/error.hpp>
#include <rondo/db/sqlite/bind.hpp>
#include <rondo/db/sqlite/errors.hpp>
#include <rondo/db/sqlite/result_table.hpp>

namespace rondo::db::sqlite {

namespace {

using namespace std::chrono_literals;

constexpr int progress_interval = 1000;

void refuse_zero_byte(std::string_view sql) {
    if (sql.find('\0') != std::string_view::npos)
        throw error("the statement contains a zero byte, which SQLite does not accept", {}, std::string(sql));
}

[[noreturn]] void refuse_transaction_end(std::string_view sql) {
    throw error(
        "only transaction() begins and ends the transaction: return from its function to commit, throw to roll back",
        {}, std::string(sql));
}

// Resets a statement at the end of the scope: an unfinished statement keeps its snapshot of the file.
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

}  // namespace

void sqlite_deleter::operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }
void sqlite_deleter::operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }

file::file(std::string path, std::chrono::milliseconds busy, std::size_t statements)
    : path_(std::move(path)), busy_timeout_(busy), max_statements_(std::max<std::size_t>(statements, 8)) {}

file::~file() = default;

void file::fail(std::string_view sql) { throw_error(database_.get(), sql); }

void file::open() {
    if (database_) return;
    sqlite3* opened = nullptr;
    constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const int status = sqlite3_open_v2(path_.c_str(), &opened, flags, nullptr);
    std::unique_ptr<sqlite3, sqlite_deleter> owned(opened);
    if (status != SQLITE_OK) {
        throw connection_lost(fmt::format("cannot open the SQLite file '{}': {}: create its folder, make it writable "
                                          "for this user, or correct the database URL",
                                          path_, sqlite3_errmsg(opened)),
                              "SQLITE_CANTOPEN");
    }
    database_ = std::move(owned);
    sqlite3_extended_result_codes(opened, 1);
    sqlite3_busy_handler(
        opened, [](void* self, int times) { return static_cast<file*>(self)->on_busy(times) ? 1 : 0; }, this);
    sqlite3_progress_handler(
        opened, progress_interval, [](void* self) { return static_cast<file*>(self)->is_interrupted() ? 1 : 0; }, this);
    // Called while a statement is prepared, also when SQLite prepares it again because a table changed.
    sqlite3_set_authorizer(
        opened,
        [](void* self, int action, const char*, const char*, const char*, const char*) {
            const bool allowed = action != SQLITE_TRANSACTION || static_cast<file*>(self)->may_end_transaction();
            return allowed ? SQLITE_OK : SQLITE_DENY;
        },
        this);
    try {
        // WAL: readers and the writer do not wait for each other.
        run("pragma journal_mode = wal");
        run("pragma synchronous = full");
        run("pragma foreign_keys = on");
        utf8_ = has_utf8_encoding();
    } catch (...) {
        database_.reset();
        throw;
    }
}

// The text encoding, fixed when the file was created.
bool file::has_utf8_encoding() {
    bool utf8 = false;
    const auto on_row = [](void* utf8_out, int, char** values, char**) {
        *static_cast<bool*>(utf8_out) = values[0] && std::string_view(values[0]) == "UTF-8";
        return 0;
    };
    if (sqlite3_exec(database_.get(), "pragma encoding", on_row, &utf8, nullptr) != SQLITE_OK) fail("pragma encoding");
    return utf8;
}

bool file::may_end_transaction() noexcept {
    prepared_ends_transaction_ = true;
    return !transaction_open_;
}

// Called by SQLite each time another connection has the file locked.
bool file::on_busy(int times) {
    const auto now = std::chrono::steady_clock::now();
    if (times == 0) busy_since_ = now;
    if (is_interrupted() || now - busy_since_ >= busy_timeout_) return false;
    std::this_thread::sleep_for(std::min(1ms * (1 << std::min(times, 4)), 10ms));
    return true;
}

// During a stream only its own calls use its statement, and no statement is evicted from the cache.
void file::require_no_stream(std::string_view sql) const {
    if (stream_) throw error("the connection is used by a stream: read all of its rows first", {}, std::string(sql));
}

sqlite3_stmt* file::prepare(const statement& s) {
    require_no_stream(s.text());
    refuse_zero_byte(s.text());
    open();
    if (auto found = statements_.find(s.hash()); found != statements_.end()) {
        if (found->second.text == s.text()) {
            if (found->second.ends_transaction && transaction_open_) refuse_transaction_end(s.text());
            lru_order_.splice(lru_order_.end(), lru_order_, found->second.lru_position);
            return found->second.handle.get();
        }
        lru_order_.erase(found->second.lru_position);
        statements_.erase(found);
    }
    sqlite3_stmt* handle = nullptr;
    const char* tail = nullptr;
    prepared_ends_transaction_ = false;
    const int status = sqlite3_prepare_v3(database_.get(), s.text().data(), static_cast<int>(s.text().size()),
                                          SQLITE_PREPARE_PERSISTENT, &handle, &tail);
    statement_ptr owned(handle);
    if (status == SQLITE_AUTH && prepared_ends_transaction_) refuse_transaction_end(s.text());
    if (status != SQLITE_OK) fail(s.text());
    if (!handle) throw error("the statement is empty", {}, std::string(s.text()));
    if (std::string_view(tail).find_first_not_of(" \t\r\n;") != std::string_view::npos)
        throw error("the text contains several statements: run each by itself, or all with execute_script()", {},
                    std::string(s.text()));
    if (statements_.size() >= max_statements_) {
        statements_.erase(lru_order_.front());
        lru_order_.pop_front();
    }
    const auto used = lru_order_.insert(lru_order_.end(), s.hash());
    statements_[s.hash()] = {std::string(s.text()), std::move(owned), prepared_ends_transaction_, used};
    return handle;
}

bool file::is_read_only(const statement& s) { return sqlite3_stmt_readonly(prepare(s)) != 0; }

// Columns are read after the first step, which prepares the statement again when a table changed.
result file::run(const statement& s, const parameters& values) {
    sqlite3_stmt* handle = prepare(s);
    const run_scope scope(handle);
    bind(handle, values, s.text(), utf8_);
    std::unique_ptr<result_table> rows;
    const int before = sqlite3_total_changes(database_.get());
    for (;;) {
        const int status = sqlite3_step(handle);
        if (status != SQLITE_ROW && status != SQLITE_DONE) fail(s.text());
        if (!rows) rows = std::make_unique<result_table>(handle);
        if (status == SQLITE_DONE) break;
        rows->add(handle);
    }
    const bool changes = sqlite3_stmt_readonly(handle) == 0;
    rows->affected(changes ? static_cast<std::uint64_t>(sqlite3_total_changes(database_.get()) - before > 0
                                                            ? sqlite3_changes64(database_.get())
                                                            : 0)
                           : rows->size());
    return result(std::move(rows));
}

void file::run(const char* sql) {
    require_no_stream(sql);
    open();
    prepared_ends_transaction_ = false;
    const int status = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
    if (status == SQLITE_AUTH && prepared_ends_transaction_) refuse_transaction_end(sql);
    if (status != SQLITE_OK) fail(sql);
}

void file::begin(const char* sql) {
    run(sql);
    transaction_open_ = true;
}

void file::commit() {
    transaction_open_ = false;
    try {
        run("commit");
    } catch (...) {
        transaction_open_ = true;
        throw;
    }
}

void file::rollback() {
    transaction_open_ = false;
    run("rollback");
}

void file::execute_script(const std::string& sql) {
    refuse_zero_byte(sql);
    run(sql.c_str());
}

bool file::in_transaction() const noexcept { return database_ && sqlite3_get_autocommit(database_.get()) == 0; }

void file::clean_up() noexcept {
    end_stream();
    transaction_open_ = false;
    if (database_ && !sqlite3_get_autocommit(database_.get()))
        sqlite3_exec(database_.get(), "rollback", nullptr, nullptr, nullptr);
}

void file::start_stream(const statement& s, const parameters& values) {
    stream_ = prepare(s);
    try {
        stream_sql_ = s.text();
        bind(stream_, values, s.text(), utf8_);
    } catch (...) {
        end_stream();
        throw;
    }
}

void file::end_stream() noexcept {
    if (!stream_) return;
    sqlite3_reset(stream_);
    sqlite3_clear_bindings(std::exchange(stream_, nullptr));
}

result file::next_rows(std::size_t max_rows) {
    if (!stream_) return {};
    try {
        return read_rows(max_rows);
    } catch (...) {
        end_stream();
        throw;
    }
}

result file::read_rows(std::size_t max_rows) {
    std::unique_ptr<result_table> rows;
    while (!rows || rows->size() < max_rows) {
        const int status = sqlite3_step(stream_);
        if (status != SQLITE_ROW && status != SQLITE_DONE) fail(stream_sql_);
        if (!rows) rows = std::make_unique<result_table>(stream_);
        if (status == SQLITE_DONE) {
            end_stream();
            break;
        }
        rows->add(stream_);
    }
    return result(std::move(rows));
}

}  // namespace rondo::db::sqlite
