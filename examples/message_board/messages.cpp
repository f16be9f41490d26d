// SPDX-License-Identifier: Apache-2.0
#include "messages.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>
#include <random>
#include <stdexcept>
#include <string_view>
#include <thread>

namespace message_board {

void sqlite::closer::operator()(sqlite3* database) const noexcept { sqlite3_close(database); }
void sqlite::closer::operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }

namespace {

[[noreturn]] void fail(sqlite3* database, std::string_view message) {
    throw std::runtime_error(fmt::format("{}: {}", message, sqlite3_errmsg(database)));
}

void execute(sqlite3* database, const char* sql) {
    if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
        fail(database, "SQLite could not initialise the database");
}

sqlite::database open(const std::string& path) {
    sqlite3* handle = nullptr;
    // NOMUTEX: a mutex of the store guards each connection.
    constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const int status = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
    sqlite::database database(handle);
    if (status != SQLITE_OK) fail(handle, fmt::format("cannot open database '{}' (set by MESSAGE_BOARD_DB)", path));
    sqlite3_busy_timeout(handle, 5000);
    return database;
}

// The busy timeout does not cover this statement, and another process may be switching the same new file.
void switch_to_wal(sqlite3* database) {
    constexpr auto timeout = std::chrono::seconds(5);
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (sqlite3_exec(database, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr) != SQLITE_OK) {
        if (sqlite3_errcode(database) != SQLITE_BUSY || std::chrono::steady_clock::now() > deadline)
            fail(database, "SQLite could not initialise the database");
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

bool has_origin_column(sqlite3* database) {
    return sqlite3_table_column_metadata(database, "main", "messages", "origin", nullptr, nullptr, nullptr, nullptr,
                                         nullptr) == SQLITE_OK;
}

sqlite::database open_for_writing(const std::string& path) {
    sqlite::database database = open(path);
    switch_to_wal(database.get());
    execute(database.get(), "PRAGMA synchronous = FULL");
    execute(database.get(), "BEGIN IMMEDIATE");
    execute(database.get(),
            "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT,"
            " author TEXT NOT NULL, text TEXT NOT NULL, created_at INTEGER NOT NULL, origin TEXT) STRICT");
    if (!has_origin_column(database.get())) execute(database.get(), "ALTER TABLE messages ADD COLUMN origin TEXT");
    execute(database.get(), "CREATE UNIQUE INDEX IF NOT EXISTS messages_by_origin ON messages (origin)");
    execute(database.get(), "COMMIT");
    return database;
}

sqlite::statement prepare(const sqlite::database& database, std::string_view sql) {
    sqlite3_stmt* prepared = nullptr;
    const int status = sqlite3_prepare_v3(database.get(), sql.data(), static_cast<int>(sql.size()),
                                          SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
    if (status != SQLITE_OK) fail(database.get(), sql);
    return sqlite::statement(prepared);
}

// One execution of a statement, reset at the end of the scope: a statement left open would hold its snapshot of the
// file.
class execution {
public:
    explicit execution(sqlite3_stmt* statement) : statement_(statement) {}
    ~execution() {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
    }
    execution(const execution&) = delete;
    execution& operator=(const execution&) = delete;

    // The text must outlive the execution.
    void bind(int index, std::string_view text) {
        require(sqlite3_bind_text64(statement_, index, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8) ==
                SQLITE_OK);
    }
    void bind(int index, std::int64_t number) { require(sqlite3_bind_int64(statement_, index, number) == SQLITE_OK); }

    // False after the last row.
    bool step() {
        const int status = sqlite3_step(statement_);
        require(status == SQLITE_ROW || status == SQLITE_DONE);
        return status == SQLITE_ROW;
    }
    [[nodiscard]] std::int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }
    [[nodiscard]] std::string text(int column) const {
        const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
        return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
    }

private:
    void require(bool ok) {
        if (!ok) fail(sqlite3_db_handle(statement_), "SQLite failed");
    }

    sqlite3_stmt* statement_;
};

std::int64_t milliseconds_since_1970() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string random_origin() {
    std::random_device random;
    return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

}  // namespace

message_store::message_store(const std::string& path)
    : writer_(open_for_writing(path)),
      insert_(prepare(writer_,
                      "INSERT INTO messages (author, text, created_at, origin) VALUES (?, ?, ?, ?)"
                      " ON CONFLICT (origin) DO NOTHING RETURNING id")),
      reader_(open(path)),
      after_(prepare(reader_, "SELECT id, author, text, created_at FROM messages WHERE id > ? ORDER BY id LIMIT ?")),
      before_(
          prepare(reader_, "SELECT id, author, text, created_at FROM messages WHERE id < ? ORDER BY id DESC LIMIT ?")),
      by_origin_(prepare(reader_, "SELECT 1 FROM messages WHERE origin = ?")) {}

message message_store::add(const draft& d) {
    message added{0, d.author, d.text, milliseconds_since_1970(), random_origin()};
    added.id = insert(added);
    return added;
}

void message_store::add_remote(const message& m) {
    if (!contains(m.origin)) (void)insert(m);
}

bool message_store::contains(std::string_view origin) {
    const std::scoped_lock lock(reader_mutex_);
    execution select(by_origin_.get());
    select.bind(1, origin);
    return select.step();
}

std::int64_t message_store::insert(const message& m) {
    const std::scoped_lock lock(writer_mutex_);
    execution insert(insert_.get());
    insert.bind(1, m.author);
    insert.bind(2, m.text);
    insert.bind(3, m.created_at);
    insert.bind(4, m.origin);
    if (!insert.step()) return 0;
    const std::int64_t id = insert.number(0);
    insert.step();  // the statement commits when it reaches its end
    return id;
}

std::vector<message> message_store::after(std::int64_t id, std::size_t limit) { return read(after_.get(), id, limit); }

std::vector<message> message_store::before(std::int64_t id, std::size_t limit) {
    return read(before_.get(), id, limit);
}

std::vector<message> message_store::read(sqlite3_stmt* statement, std::int64_t id, std::size_t limit) {
    std::vector<message> found;
    const std::scoped_lock lock(reader_mutex_);
    execution select(statement);
    select.bind(1, id);
    select.bind(2, static_cast<std::int64_t>(limit));
    while (select.step()) found.push_back({select.number(0), select.text(1), select.text(2), select.number(3), {}});
    return found;
}

}  // namespace message_board
