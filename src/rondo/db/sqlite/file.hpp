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

struct closer {
    void operator()(sqlite3* database) const noexcept;
    void operator()(sqlite3_stmt* statement) const noexcept;
};
using statement_ptr = std::unique_ptr<sqlite3_stmt, closer>;

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
    [[nodiscard]] bool only_reads(const statement& s);
    [[nodiscard]] result run(const statement& s, const parameters& values);
    void run(const char* sql);
    /// Runs several statements.
    void script(const std::string& sql);
    /// Begins a transaction that only commit(), rollback() and clean_up() may end: any other statement that would begin
    /// or end one throws error before it runs.
    void begin(const char* sql);
    void commit();
    void rollback();
    /// Whether a transaction is open.
    [[nodiscard]] bool in_transaction() const noexcept;
    /// Ends an unfinished stream and rolls an open transaction back.
    void clean_up() noexcept;

    /// Starts a stream; next_rows() then returns at most `most` rows per call, none after the last. The values must
    /// outlive the stream. Until the last row is read or the statement fails, all other functions except clean_up()
    /// throw error.
    void start(const statement& s, const parameters& values);
    [[nodiscard]] result next(std::size_t most);
    [[nodiscard]] bool streams() const noexcept { return stream_ != nullptr; }

    /// Makes running and later statements fail with SQLITE_INTERRUPT until clear_interrupt(). Any thread.
    void stop() noexcept { stopped_.store(true, std::memory_order_relaxed); }
    void go_on() noexcept { stopped_.store(false, std::memory_order_relaxed); }
    [[nodiscard]] bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); }

private:
    struct prepared {
        std::string text;
        statement_ptr made;
        bool ends = false;  // begins or ends a transaction
        std::list<std::uint64_t>::iterator used;
    };

    [[nodiscard]] sqlite3_stmt* prepare(const statement& s);
    void require_no_stream(std::string_view sql) const;
    [[nodiscard]] result read_rows(std::size_t most);
    void end_stream() noexcept;
    [[nodiscard]] bool encoding_is_utf8();
    bool wait_for_writer(int times);
    [[nodiscard]] bool may_end_transaction() noexcept;
    [[noreturn]] void fail(std::string_view sql);

    std::string path_;
    std::chrono::milliseconds busy_;
    std::size_t most_statements_;
    std::unique_ptr<sqlite3, closer> database_;
    std::unordered_map<std::uint64_t, prepared> statements_;
    std::list<std::uint64_t> order_;  // least recently used first
    sqlite3_stmt* stream_ = nullptr;  // owned by statements_
    std::string stream_sql_;
    bool utf8_ = true;
    bool begun_ = false;  // by begin()
    bool ends_ = false;   // the statement prepared last begins or ends a transaction
    std::atomic<bool> stopped_{false};
    std::chrono::steady_clock::time_point busy_since_{};
};

}  // namespace rondo::db::sqlite
