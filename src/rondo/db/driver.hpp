// SPDX-License-Identifier: Apache-2.0
// The interface between a database object and its backends (PostgreSQL, SQLite).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <rondo/coro/task.hpp>
#include <rondo/db/options.hpp>
#include <rondo/db/parameters.hpp>
#include <rondo/db/result.hpp>
#include <rondo/db/statement.hpp>

namespace rondo {
class event_loop;
}

namespace rondo::db {

enum class isolation_level : std::uint8_t { server_default, read_committed, repeatable_read, serializable };

struct transaction_options {
    isolation_level isolation = isolation_level::server_default;  ///< SQLite: always serializable
    bool read_only = false;                                       ///< SQLite: does not wait for the writer
};

/// A NOTIFY message.
struct notification {
    std::string channel;
    std::string payload;
    bool missed = false;  ///< not a message: the connection was lost, messages may have been missed
};

enum class copy_direction : std::uint8_t { in, out };

/// A connection used exclusively by one caller. A call made while another is running waits for it. The destructor
/// cancels what is running, rolls an open transaction back and returns the connection to the pool, without waiting for
/// any of that. Loop thread of the driver only.
class session {
public:
    virtual ~session() = default;
    [[nodiscard]] virtual task<result> query(statement s, parameters p) = 0;
    virtual task<void> begin(transaction_options o) = 0;
    virtual task<void> commit() = 0;
    virtual task<void> rollback() = 0;
    /// Runs several statements, without parameters and results. Throws error while another call is running; while this
    /// is running, other calls throw.
    virtual task<void> execute_script(std::string_view sql) = 0;

    /// Starts a statement whose rows are read with next_rows(); returns the number of the stream. Throws error while
    /// another call is running. Until the database has sent the last row, other calls throw error.
    [[nodiscard]] virtual task<std::uint64_t> start_stream(statement s, parameters p) = 0;
    /// Returns the next rows of this stream; an empty result at its end.
    [[nodiscard]] virtual task<result> next_rows(std::uint64_t stream) = 0;

    /// COPY ... FROM STDIN: write_copy(), then end_copy(), which returns the number of rows copied. Throws error when
    /// the database has no COPY or the statement copies in the other direction.
    virtual task<void> start_copy(statement s, copy_direction direction) = 0;
    virtual task<void> write_copy(std::string_view bytes) = 0;
    [[nodiscard]] virtual task<std::uint64_t> end_copy() = 0;
    /// COPY ... TO STDOUT: returns the next piece, std::nullopt at the end.
    [[nodiscard]] virtual task<std::optional<std::string>> read_copy() = 0;

    /// Waits for a message on the channels of earlier LISTEN statements.
    [[nodiscard]] virtual task<notification> next_notification() = 0;
};

/// The backend of a database object. Belongs to one loop.
class driver {
public:
    virtual ~driver() = default;
    /// Connects. Throws error with a message that names the cause and the remedy.
    virtual task<void> open() = 0;
    [[nodiscard]] virtual task<result> query(statement s, parameters p) = 0;
    /// Acquires a connection of the pool. `writes`: SQLite has a single connection for writing.
    [[nodiscard]] virtual task<std::unique_ptr<session>> acquire(bool writes) = 0;
    /// Opens a dedicated connection outside the pool.
    [[nodiscard]] virtual task<std::unique_ptr<session>> acquire_dedicated() = 0;
    [[nodiscard]] virtual database_stats stats() const noexcept = 0;
};

}  // namespace rondo::db
