// SPDX-License-Identifier: Apache-2.0
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
/// One object for the whole process, of any thread: it has one pool of connections, which lives on one loop, its home:
/// the loop open() was called on, else the first one it was used from that has pools (a server's), else one of its own
/// on a thread of its own. Who calls from another loop, or from a thread without one, is served through the home. It
/// may be made and used before the process forks (on_arbiter_start): it connects when it is first used in a process,
/// and gives its connections up when its home ends. Must outlive who uses it.
///
/// Every call throws db::error and what is derived from it; `cancelled` when its context is: a statement that was not
/// sent is then never sent, one that runs is cancelled in the database. The deadline of the context bounds the waits.
class database {
public:
    /// Throws std::invalid_argument for a URL that cannot be one. Connects to nothing yet.
    explicit database(std::string_view url, db::options options = {});
    database(const database&) = delete;
    database& operator=(const database&) = delete;

    /// Makes the current loop the home and connects: throws a sentence when the database cannot be used.
    [[nodiscard]] task<void> open();
    /// Gives all connections up; what still runs fails with connection_lost. Opens again when used again.
    [[nodiscard]] task<void> close();

    /// Runs one statement; the values are for $1, $2, ... (see db::parameters) and are copied.
    template <class... Values>
    [[nodiscard]] task<result> query(statement s, const Values&... values) {
        return home_.query(s, parameters(values...));
    }
    template <class... Values>
    [[nodiscard]] task<result> query(dynamic_sql s, const Values&... values) {
        return run_dynamic(std::move(s), parameters(values...));
    }
    /// The same; gives the number of rows inserted, changed or deleted.
    template <class... Values>
    [[nodiscard]] task<std::uint64_t> execute(statement s, const Values&... values) {
        return detail::affected_of(query(s, values...));
    }
    template <class... Values>
    [[nodiscard]] task<std::uint64_t> execute(dynamic_sql s, const Values&... values) {
        return detail::affected_of(query(std::move(s), values...));
    }
    /// The rows one by one: memory stays bounded however many there are, and the database waits for who is slow.
    /// Holds a connection to its end. A row is read into T (see row_value).
    template <row_value T, class... Values>
    [[nodiscard]] async_generator<T> stream(statement s, const Values&... values) {
        return detail::rows_of<T>(home_, nullptr, s, parameters(values...));
    }

    /// Runs `body(tx)`, a task, within a transaction on one connection and gives its result. Committed when the body
    /// returns; rolled back when it throws, and when the context is cancelled. The body lives until then.
    ///     co_await db.transaction([](rondo::db::transaction& tx) -> rondo::task<void> { co_await tx.execute(...); });
    /// A lambda may not capture where GCC 12 is used, as everywhere: give it what it needs as `values`.
    template <class Body, class... Values>
    [[nodiscard]] auto transaction(Body body, Values... values) {
        return detail::run_transaction(home_, transaction_options{}, std::move(body), std::move(values)...);
    }
    template <class Body, class... Values>
    [[nodiscard]] auto transaction_with(transaction_options o, Body body, Values... values) {
        return detail::run_transaction(home_, o, std::move(body), std::move(values)...);
    }
    /// Several statements in one text, separated by semicolons, without parameters: for schemas.
    [[nodiscard]] task<void> script(std::string sql);

    /// COPY ... FROM STDIN: the pieces in the format of the statement (text: a line per row, columns separated by
    /// tabs), cut anywhere. Gives the number of rows. PostgreSQL only, as the two that follow.
    [[nodiscard]] task<std::uint64_t> copy_in(statement s, async_generator<std::string> pieces);
    /// COPY ... TO STDOUT: a piece for each row.
    [[nodiscard]] async_generator<std::string> copy_out(statement s);
    /// What NOTIFY sends on a channel from now on, on a connection of its own. When that is lost it is made again, at
    /// growing intervals; then a notification with `missed` comes first: others may have been missed. Ends by
    /// cancellation only.
    [[nodiscard]] async_generator<notification> listen(std::string channel);

    // For sync views and other code on threads that may block: the same, over the same connections. Each throws
    // synchronous_only on a loop thread, and `cancelled` as the others: a sync view's calls have the deadline of its
    // request, and end when its client is gone.
    template <class... Values>
    result query_sync(statement s, const Values&... values) {
        return home_.wait("database::query_sync", home_.query_here(s, parameters(values...)));
    }
    template <class... Values>
    std::uint64_t execute_sync(statement s, const Values&... values) {
        return query_sync(s, values...).affected();
    }
    void open_sync();
    void script_sync(const std::string& sql);
    /// `body(tx)` returns a value or nothing; tx has query_sync() and execute_sync().
    template <class Body>
    auto transaction_sync(Body&& body, transaction_options o = {}) {
        return detail::run_transaction_sync(home_, o, std::forward<Body>(body));
    }

    /// A connection beside the pool, closed when it is given back; for locks of PostgreSQL that belong to a connection.
    /// With SQLite the one that writes.
    [[nodiscard]] task<session_lease> extra_connection() { return home_.extra(); }

    [[nodiscard]] db::kind kind() const noexcept { return home_.where().kind; }
    /// What it is doing now.
    [[nodiscard]] task<db::status> now() { return home_.now(); }
    /// The URL without its password.
    [[nodiscard]] std::string shown() const { return shown_url(home_.where().text); }

private:
    [[nodiscard]] task<result> run_dynamic(dynamic_sql s, parameters p);

    home home_;
};

}  // namespace rondo::db
