// SPDX-License-Identifier: Apache-2.0
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

/// One connection to the file. Everything blocks; one thread at a time, but for stop().
class file {
public:
    /// `busy`: how long to wait for another process that writes.
    file(std::string path, std::chrono::milliseconds busy, std::size_t statements);
    ~file();
    file(const file&) = delete;
    file& operator=(const file&) = delete;

    /// Opens the file, or makes it; nothing when it is open. Throws error with a sentence.
    void open();

    /// Whether the statement only reads. Throws error when it is none.
    [[nodiscard]] bool only_reads(const statement& s);
    [[nodiscard]] result run(const statement& s, const parameters& values);
    void run(const char* sql);
    /// Several statements.
    void script(const std::string& sql);
    /// One that only commit(), rollback() and clean_up() end: any other statement that would begin or end one throws
    /// error before it runs.
    void begin(const char* sql);
    void commit();
    void rollback();
    /// A transaction is open.
    [[nodiscard]] bool in_transaction() const noexcept;
    /// Ends what is open: a statement whose rows were not all taken, a transaction.
    void clean_up() noexcept;

    /// Begins a statement; then at most so many of its rows each time, none after the last. The values must outlive
    /// that. Until the last row was read or the statement failed, everything else but clean_up() throws error.
    void start(const statement& s, const parameters& values);
    [[nodiscard]] result next(std::size_t most);
    [[nodiscard]] bool streams() const noexcept { return stream_ != nullptr; }

    /// Ends what runs, or runs next, with SQLITE_INTERRUPT until go_on(). Any thread.
    void stop() noexcept { stopped_.store(true, std::memory_order_relaxed); }
    void go_on() noexcept { stopped_.store(false, std::memory_order_relaxed); }
    [[nodiscard]] bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); }

private:
    struct prepared {
        std::string text;
        statement_ptr made;
        bool ends = false;  // or begins a transaction
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
    std::list<std::uint64_t> order_;  // the one used last is the last
    sqlite3_stmt* stream_ = nullptr;  // one of statements_
    std::string stream_sql_;
    bool utf8_ = true;
    bool begun_ = false;  // by begin()
    bool ends_ = false;   // what was prepared last: ends or begins a transaction
    std::atomic<bool> stopped_{false};
    std::chrono::steady_clock::time_point busy_since_{};
};

}  // namespace rondo::db::sqlite
