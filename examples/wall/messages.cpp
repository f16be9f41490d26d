// SPDX-License-Identifier: Apache-2.0
#include "messages.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <chrono>
#include <stdexcept>
#include <string_view>

namespace wall {

void sqlite::closer::operator()(sqlite3* database) const noexcept { sqlite3_close(database); }
void sqlite::closer::operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }

namespace {

[[noreturn]] void fail(sqlite3* database, std::string_view doing) {
    throw std::runtime_error(fmt::format("{}: {}", doing, sqlite3_errmsg(database)));
}

void execute(sqlite3* database, const char* sql) {
    if (sqlite3_exec(database, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
        fail(database, "SQLite could not prepare its file");
}

sqlite::database open(const std::string& path) {
    sqlite3* opened = nullptr;
    // NOMUTEX: a mutex of the store guards each connection.
    constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    const int status = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
    sqlite::database database(opened);
    if (status != SQLITE_OK) fail(opened, fmt::format("The messages cannot be kept in '{}' (set WALL_DB)", path));
    sqlite3_busy_timeout(opened, 5000);
    return database;
}

sqlite::database open_for_writing(const std::string& path) {
    sqlite::database database = open(path);
    execute(database.get(), "PRAGMA journal_mode = WAL");
    execute(database.get(), "PRAGMA synchronous = FULL");
    execute(database.get(),
            "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY AUTOINCREMENT,"
            " author TEXT NOT NULL, text TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT");
    return database;
}

sqlite::statement prepare(const sqlite::database& database, std::string_view sql) {
    sqlite3_stmt* made = nullptr;
    const int status = sqlite3_prepare_v3(database.get(), sql.data(), static_cast<int>(sql.size()),
                                          SQLITE_PREPARE_PERSISTENT, &made, nullptr);
    if (status != SQLITE_OK) fail(database.get(), sql);
    return sqlite::statement(made);
}

// Ends a statement's run however the scope is left: a statement that stands open would hold its snapshot of the file.
class run {
public:
    explicit run(sqlite3_stmt* statement) : statement_(statement) {}
    ~run() {
        sqlite3_reset(statement_);
        sqlite3_clear_bindings(statement_);
    }
    run(const run&) = delete;
    run& operator=(const run&) = delete;

    // The text must live until the end of the run.
    void bind(int place, std::string_view text) {
        require(sqlite3_bind_text64(statement_, place, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8) ==
                SQLITE_OK);
    }
    void bind(int place, std::int64_t number) { require(sqlite3_bind_int64(statement_, place, number) == SQLITE_OK); }

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
    void require(bool good) {
        if (!good) fail(sqlite3_db_handle(statement_), "SQLite failed");
    }

    sqlite3_stmt* statement_;
};

std::int64_t milliseconds_since_1970() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace

message_store::message_store(const std::string& path)
    : writer_(open_for_writing(path)),
      insert_(prepare(writer_, "INSERT INTO messages (author, text, created_at) VALUES (?, ?, ?) RETURNING id")),
      reader_(open(path)),
      after_(prepare(reader_, "SELECT id, author, text, created_at FROM messages WHERE id > ? ORDER BY id LIMIT ?")),
      before_(prepare(reader_,
                      "SELECT id, author, text, created_at FROM messages WHERE id < ? ORDER BY id DESC LIMIT ?")) {}

message message_store::add(const draft& d) {
    message made{0, d.author, d.text, milliseconds_since_1970()};
    const std::scoped_lock held(writing_);
    run insert(insert_.get());
    insert.bind(1, made.author);
    insert.bind(2, made.text);
    insert.bind(3, made.created_at);
    insert.step();
    made.id = insert.number(0);
    insert.step();  // to the end: there it is committed
    return made;
}

std::vector<message> message_store::after(std::int64_t id, std::size_t limit) { return read(after_.get(), id, limit); }

std::vector<message> message_store::before(std::int64_t id, std::size_t limit) {
    return read(before_.get(), id, limit);
}

std::vector<message> message_store::read(sqlite3_stmt* statement, std::int64_t id, std::size_t limit) {
    std::vector<message> found;
    const std::scoped_lock held(reading_);
    run select(statement);
    select.bind(1, id);
    select.bind(2, static_cast<std::int64_t>(limit));
    while (select.step()) found.push_back({select.number(0), select.text(1), select.text(2), select.number(3)});
    return found;
}

}  // namespace wall
