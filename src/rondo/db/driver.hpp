// SPDX-License-Identifier: Apache-2.0
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

enum class isolation : std::uint8_t { standard, read_committed, repeatable_read, serializable };

struct transaction_options {
    isolation level = isolation::standard;  ///< SQLite: always serializable
    bool read_only = false;                 ///< SQLite: does not wait for who writes
};

/// A message of NOTIFY.
struct notification {
    std::string channel;
    std::string payload;
    bool missed = false;  ///< no message: the connection was lost, and with it perhaps messages
};

enum class copy_way : std::uint8_t { in, out };

/// A connection in the hands of one user. What is called before the last call has ended waits for it. When it is
/// destroyed, what runs on it is cancelled, an open transaction is rolled back, and the connection goes back; nobody
/// waits for that. Everything on the loop of its driver.
class session {
public:
    virtual ~session() = default;
    [[nodiscard]] virtual task<result> query(statement s, parameters p) = 0;
    virtual task<void> begin(transaction_options o) = 0;
    virtual task<void> commit() = 0;
    virtual task<void> rollback() = 0;
    /// Several statements, without parameters and results. Throws error while anything else runs, as that does
    /// while this runs.
    virtual task<void> script(std::string_view sql) = 0;

    /// Begins a statement whose rows are then taken with next_rows(). Until the database has given the last of them,
    /// everything else throws error, and so does this while anything else runs. Gives the stream's number.
    [[nodiscard]] virtual task<std::uint64_t> start_rows(statement s, parameters p) = 0;
    /// Some of the rows of the stream of this number, none after the last.
    [[nodiscard]] virtual task<result> next_rows(std::uint64_t stream) = 0;

    /// COPY ... FROM STDIN: write, then end, which gives the rows taken. Throws error where there is no COPY, and for
    /// one of the other way.
    virtual task<void> start_copy(statement s, copy_way way) = 0;
    virtual task<void> write_copy(std::string_view bytes) = 0;
    [[nodiscard]] virtual task<std::uint64_t> end_copy() = 0;
    /// COPY ... TO STDOUT: what comes next; nothing at the end.
    [[nodiscard]] virtual task<std::optional<std::string>> read_copy() = 0;

    /// Waits for a message; the channels are those of LISTEN statements.
    [[nodiscard]] virtual task<notification> next_notification() = 0;
};

/// The part of a database object that knows a database. Belongs to one loop.
class driver {
public:
    virtual ~driver() = default;
    /// Connects; throws what is wrong as a sentence with the remedy.
    virtual task<void> open() = 0;
    [[nodiscard]] virtual task<result> query(statement s, parameters p) = 0;
    /// `writes`: SQLite has one connection for that.
    [[nodiscard]] virtual task<std::unique_ptr<session>> lend(bool writes) = 0;
    /// A connection beside the pool.
    [[nodiscard]] virtual task<std::unique_ptr<session>> extra() = 0;
    [[nodiscard]] virtual status now() const noexcept = 0;
};

}  // namespace rondo::db
