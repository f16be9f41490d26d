// SPDX-License-Identifier: Apache-2.0
// The database class: queries, streams, transactions, COPY and LISTEN over a pool of connections.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <rondo/coro/async_generator.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/db/database_state.hpp>
#include <rondo/db/driver.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/options.hpp>
#include <rondo/db/parameters.hpp>
#include <rondo/db/result.hpp>
#include <rondo/db/session_lease.hpp>
#include <rondo/db/statement.hpp>
#include <rondo/db/transaction.hpp>

namespace rondo::db {

/// A database: PostgreSQL or SQLite, by its URL (db/url.hpp).
///     auto row = (co_await db.query("select id, name from people where id = $1", id)).one<person>();
/// One object serves the whole process and may be used from any thread. Its connection pool belongs to one event loop:
/// the loop on which open() was called; otherwise the first loop with a blocking pool (a server's) that used it;
/// otherwise a loop on a thread of its own. Calls from other loops or threads are forwarded to that loop. May be
/// created and used before the process forks (on_arbiter_start): each process connects on first use. The connections
/// are closed when the loop ends. Must outlive its users.
///
/// Every call throws db::error or a type derived from it, and `cancelled` when its context is cancelled: a statement
/// not yet sent is never sent, a running one is cancelled in the database. The deadline of the context bounds all
/// waits.
class database {
public:
    /// Throws std::invalid_argument for an invalid URL. Does not connect yet.
    explicit database(std::string_view url, db::options options = {});
    database(const database&) = delete;
    database& operator=(const database&) = delete;

    /// Binds the pool to the current loop and connects. Throws error when the database cannot be used.
    [[nodiscard]] task<void> open();
    /// Closes all connections; running statements fail with connection_lost. Reopens on the next use.
    [[nodiscard]] task<void> close();

    /// Runs one statement; the values for $1, $2, ... (see db::parameters) are copied.
    template <class... Values>
    [[nodiscard]] task<result> query(statement s, const Values&... values) {
        return state_.query(s, parameters(values...));
    }
    template <class... Values>
    [[nodiscard]] task<result> query(dynamic_sql s, const Values&... values) {
        return query_dynamic(std::move(s), parameters(values...));
    }
    /// Like query(); returns the number of rows inserted, updated or deleted.
    template <class... Values>
    [[nodiscard]] task<std::uint64_t> execute(statement s, const Values&... values) {
        return detail::affected_rows(query(s, values...));
    }
    template <class... Values>
    [[nodiscard]] task<std::uint64_t> execute(dynamic_sql s, const Values&... values) {
        return detail::affected_rows(query(std::move(s), values...));
    }
    /// Streams the rows one by one, each read into T (see row_value): memory stays bounded, and a slow reader slows the
    /// database down. Holds a connection until its end.
    template <row_value T, class... Values>
    [[nodiscard]] async_generator<T> stream(statement s, const Values&... values) {
        return detail::stream_rows<T>(state_, nullptr, s, parameters(values...));
    }

    /// Runs `body(tx)`, a task, in a transaction on one connection and returns its result. Commits when the body
    /// returns; rolls back when it throws or the context is cancelled. The body is kept alive until then.
    ///     co_await db.transaction([](rondo::db::transaction& tx) -> rondo::task<void> { co_await tx.execute(...); });
    /// With GCC 12 the lambda must not capture: pass what it needs as `values`.
    template <class Body, class... Values>
    [[nodiscard]] auto transaction(Body body, Values... values) {
        return detail::run_transaction(state_, transaction_options{}, std::move(body), std::move(values)...);
    }
    /// Like transaction(), with an isolation level or read-only.
    template <class Body, class... Values>
    [[nodiscard]] auto transaction_with(transaction_options o, Body body, Values... values) {
        return detail::run_transaction(state_, o, std::move(body), std::move(values)...);
    }
    /// Runs several statements, separated by semicolons, without parameters; for schemas.
    [[nodiscard]] task<void> execute_script(std::string sql);

    /// COPY ... FROM STDIN: `pieces` is the data in the format of the statement (text: a line per row, columns
    /// separated by tabs), split anywhere. Returns the number of rows. PostgreSQL only, like the next two functions.
    [[nodiscard]] task<std::uint64_t> copy_in(statement s, async_generator<std::string> pieces);
    /// COPY ... TO STDOUT: yields one piece per row.
    [[nodiscard]] async_generator<std::string> copy_out(statement s);
    /// Yields the NOTIFY messages of a channel, over a dedicated connection. A lost connection is re-established with
    /// back-off; the first notification afterwards has `missed` set: messages may have been missed. Ends only by
    /// cancellation.
    [[nodiscard]] async_generator<notification> listen(std::string channel);

    // The same for sync views and other threads that may block, over the same connections. Each throws
    // synchronous_only on a loop thread, and `cancelled` like the others: the calls of a sync view have the deadline of
    // its request and end when its client disconnects.
    template <class... Values>
    result query_sync(statement s, const Values&... values) {
        return state_.run_and_wait("database::query_sync", state_.query_on_loop(s, parameters(values...)));
    }
    template <class... Values>
    std::uint64_t execute_sync(statement s, const Values&... values) {
        return query_sync(s, values...).affected();
    }
    void open_sync();
    void execute_script_sync(const std::string& sql);
    /// Runs `body(tx)`, which returns a value or void; tx is a sync_transaction.
    template <class Body>
    auto transaction_sync(Body&& body, transaction_options o = {}) {
        return detail::run_transaction_sync(state_, o, std::forward<Body>(body));
    }

    /// Opens a dedicated connection outside the pool, closed when it is released; for PostgreSQL session-level locks.
    /// SQLite: the writing connection.
    [[nodiscard]] task<session_lease> dedicated_connection() { return state_.acquire_dedicated(); }

    [[nodiscard]] db::database_kind kind() const noexcept { return state_.location().kind; }
    /// Returns the current state and counters.
    [[nodiscard]] task<db::database_stats> stats() { return state_.stats(); }
    /// Returns the URL without its password.
    [[nodiscard]] std::string display_url() const { return redacted_url(state_.location().text); }

private:
    [[nodiscard]] task<result> query_dynamic(dynamic_sql s, parameters p);

    database_state state_;
};

}  // namespace rondo::db
