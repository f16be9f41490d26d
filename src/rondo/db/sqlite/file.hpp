// SPDX-License-Identifier: Apache-2.0
// One SQLite connection: statement cache, transactions, streams and interruption.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include <rondo/db/parameters.hpp>
#include <rondo/db/result.hpp>
#include <rondo/db/statement.hpp>

struct sqlite3;
struct sqlite3_stmt;

namespace rondo::db::sqlite {

struct sqlite_deleter {
    void operator()(sqlite3* database) const noexcept;
    void operator()(sqlite3_stmt* statement) const noexcept;
};
using statement_ptr = std::unique_ptr<sqlite3_stmt, sqlite_deleter>;

/// One connection to the file. All functions block; not thread-safe except for interrupt().
class file {
public:
    /// `busy`: how long to wait while another process writes.
    file(std::string path, std::chrono::milliseconds busy, std::size_t statements);
    ~file();
    file(const file&) = delete;
    file& operator=(const file&) = delete;

    /// Opens or creates the file; does nothing when it is open. Throws error when that fails.
    void open();

    /// Whether the statement is read-only. Throws error when it is not a single valid statement.
    [[nodiscard]] bool is_read_only(const statement& s);
    [[nodiscard]] result run(const statement& s, const parameters& values);
    void run(const char* sql);
    /// Runs several statements.
    void execute_script(const std::string& sql);
    /// Begins a transaction that only commit(), rollback() and clean_up() may end: any other statement that would begin
    /// or end one throws error before it runs.
    void begin(const char* sql);
    void commit();
    void rollback();
    /// Whether a transaction is open.
    [[nodiscard]] bool in_transaction() const noexcept;
    /// Ends an unfinished stream and rolls an open transaction back.
    void clean_up() noexcept;

    /// Starts a stream; next_rows() then returns at most `max_rows` rows per call, none after the last. The values must
    /// outlive the stream. Until the last row is read or the statement fails, all other functions except clean_up()
    /// throw error.
    void start_stream(const statement& s, const parameters& values);
    [[nodiscard]] result next_rows(std::size_t max_rows);
    [[nodiscard]] bool is_streaming() const noexcept { return stream_ != nullptr; }

    /// Makes running and later statements fail with SQLITE_INTERRUPT until clear_interrupt(). Any thread.
    void interrupt() noexcept { interrupted_.store(true, std::memory_order_relaxed); }
    void clear_interrupt() noexcept { interrupted_.store(false, std::memory_order_relaxed); }
    [[nodiscard]] bool is_interrupted() const noexcept { return interrupted_.load(std::memory_order_relaxed); }

private:
    struct prepared {
        std::string text;
        statement_ptr handle;
        bool ends_transaction = false;  // begins or ends a transaction
        std::list<std::uint64_t>::iterator lru_position;
    };

    [[nodiscard]] sqlite3_stmt* prepare(const statement& s);
    void require_no_stream(std::string_view sql) const;
    [[nodiscard]] result read_rows(std::size_t max_rows);
    void end_stream() noexcept;
    [[nodiscard]] bool has_utf8_encoding();
    bool on_busy(int times);
    [[nodiscard]] bool may_end_transaction() noexcept;
    [[noreturn]] void fail(std::string_view sql);

    std::string path_;
    std::chrono::milliseconds busy_timeout_;
    std::size_t max_statements_;
    std::unique_ptr<sqlite3, sqlite_deleter> database_;
    std::unordered_map<std::uint64_t, prepared> statements_;
    std::list<std::uint64_t> lru_order_;  // least recently used first
    sqlite3_stmt* stream_ = nullptr;      // owned by statements_
    std::string stream_sql_;
    bool utf8_ = true;
    bool transaction_open_ = false;           // by begin()
    bool prepared_ends_transaction_ = false;  // the statement prepared last begins or ends a transaction
    std::atomic<bool> interrupted_{false};
    std::chrono::steady_clock::time_point busy_since_{};
};

}  // namespace rondo::db::sqlite
