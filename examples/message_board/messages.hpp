// SPDX-License-Identifier: Apache-2.0
// Messages stored in an SQLite file that several processes share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "message.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace message_board {

namespace sqlite {

struct closer {
    void operator()(sqlite3* database) const noexcept;
    void operator()(sqlite3_stmt* statement) const noexcept;
};
using database = std::unique_ptr<sqlite3, closer>;
using statement = std::unique_ptr<sqlite3_stmt, closer>;

}  // namespace sqlite

/// The messages in an SQLite file, in WAL mode: readers do not wait for a writer. Several processes may have it open;
/// ids increase in the order in which messages become visible to all of them. Every function blocks on the disk, so it
/// belongs on a pool thread; any thread may call it. Throws std::runtime_error with SQLite's message.
class message_store {
public:
    /// Opens the file, or creates it.
    explicit message_store(const std::string& path);

    /// Once it returns, the message survives a crash and a power failure.
    message add(const draft& d);
    /// Stores a message of another machine under an id of this file, unless it is stored already.
    void add_remote(const message& m);

    [[nodiscard]] std::vector<message> after(std::int64_t id, std::size_t limit);   ///< oldest first
    [[nodiscard]] std::vector<message> before(std::int64_t id, std::size_t limit);  ///< newest first

private:
    std::int64_t insert(const message& m);
    [[nodiscard]] bool contains(std::string_view origin);
    std::vector<message> read(sqlite3_stmt* statement, std::int64_t id, std::size_t limit);

    std::mutex writer_mutex_;
    sqlite::database writer_;
    sqlite::statement insert_;
    std::mutex reader_mutex_;
    sqlite::database reader_;
    sqlite::statement after_;
    sqlite::statement before_;
    sqlite::statement by_origin_;
};

}  // namespace message_board
