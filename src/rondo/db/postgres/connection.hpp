// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL connection in pipeline mode: many statements in flight, cancellation, and reset after exclusive use.
// Implemented in connection.cpp, connection_results.cpp, connection_release.cpp and connection_send.cpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rondo/coro/waiter.hpp>
#include <rondo/db/driver.hpp>
#include <rondo/db/postgres/pending_query.hpp>
#include <rondo/db/postgres/rows.hpp>
#include <rondo/db/postgres/statement_cache.hpp>
#include <rondo/loop/loop.hpp>

struct pg_conn;

namespace rondo::db::postgres {

class connection_waiter;
class pool;

/// Throws error: a stream cannot start on a connection that is in use.
[[noreturn]] void refuse_stream(std::string_view sql);

/// Names and values of connection parameters for libpq.
using connect_parameters = std::vector<std::pair<std::string, std::string>>;

/// A connection to the server in libpq's pipeline mode: any number of statements are in flight, each followed by a
/// Sync, so that each is its own transaction and a failure does not affect the others.
///
/// Cancellation. A cancel request names a connection, not a statement: it ends whatever runs when it arrives. It is
/// therefore sent only when every statement in flight is abandoned, and nothing new is sent until it completes. A
/// statement that is still awaited is never cancelled this way.
///
/// Transactions. Only on a leased connection may a statement leave a transaction open: elsewhere, later statements of
/// other callers would run inside it and be lost with it. Such statements are rejected before they are sent
/// (statement_effect.hpp); if one slips through, the connection is closed and everything that ran inside fails.
class connection final : poll_operation {
public:
    enum class phase : std::uint8_t { connecting, ready, closed };

    connection(pool& owner, event_loop& loop, std::uint64_t id);
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    /// start() was not called yet.
    [[nodiscard]] bool is_unstarted() const noexcept { return phase_ == phase::connecting && !conn_; }
    /// Starts connecting; calls the pool's on_connected() or on_connect_failed(). `with_options`: the parameters
    /// contain the pinned settings of connect_target.hpp; otherwise a statement makes these settings.
    void start(const connect_parameters& parameters, bool with_options, clock::duration limit);
    [[nodiscard]] bool options_sent() const noexcept { return options_sent_; }
    /// Fails instead of starting.
    void fail_start(const std::string& message) noexcept { fail_connect(message); }

    /// Sends a statement. Throws error for parameters that cannot be sent; other failures fail the query.
    void send(pending_query& c);
    /// Sends corked output; called at the end of the loop's turn.
    void uncork() noexcept;
    /// The query is no longer awaited.
    void abandon(pending_query& c) noexcept;

    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
    [[nodiscard]] phase state() const noexcept { return phase_; }
    /// Number of statements in flight.
    [[nodiscard]] std::size_t load() const noexcept { return in_flight_.size() - first_in_flight_; }
    [[nodiscard]] bool is_idle() const noexcept { return phase_ == phase::ready && load() == 0 && !cancelling_; }
    /// Whether it accepts another statement: not while leased, cancelling, or working on a slow statement.
    [[nodiscard]] bool accepts_more(instant now) const noexcept;
    [[nodiscard]] instant idle_since() const noexcept { return state_since_; }

    /// Sends an internal statement and ignores its result. `required`: the connection is closed when it fails.
    void send_internal(const std::string& sql, bool required = false) noexcept;
    /// Returns and clears the first failure of internal statements.
    [[nodiscard]] std::exception_ptr take_internal_failure() noexcept {
        return std::exchange(internal_failure_, nullptr);
    }

    // Leasing: set by the pool, cleared when the session releases the connection.
    bool leased = false;
    bool dedicated = false;                   ///< outside the pool: its notifications are kept
    bool reserved = false;                    ///< to be leased when it becomes idle
    connection_waiter* granted_to = nullptr;  ///< granted to this waiter, which has not resumed yet
    /// Called at the end of the session: cancels running statements, rolls a transaction back, resets session state and
    /// then notifies the pool.
    void release() noexcept;
    /// Whether a transaction is open. Precondition: nothing is in flight.
    [[nodiscard]] bool in_transaction() const noexcept;
    /// Session state that was changed and must be reset: `all` is everything except names of PREPARE, `prepared`
    /// includes these.
    enum class session_changes : std::uint8_t { none, settings, all, prepared };
    void record_changes(session_changes t) noexcept { changes_ = std::max(changes_, t); }
    /// Records the command tag of a statement that succeeded.
    void record_command_tag(const pg_result* r) noexcept;
    /// Whether the backend PID was compared with the one announced at connection time. When they differ, a pooler is in
    /// between, and statements in transactions are not named.
    [[nodiscard]] bool is_backend_checked() const noexcept { return backend_checked_; }
    void check_backend_pid(const pg_result* r) noexcept;

    /// Called when the cancel request completed.
    void on_cancel_done() noexcept;
    /// Fails the statements in flight and closes the connection.
    void close(std::string_view why) noexcept;

    // For a session: rows as they arrive, one result each; reading pauses while many are buffered.
    struct row_sink {
        std::vector<result_ptr> rows;
        bool ended = false;
        std::exception_ptr failure;
        waiter* reader = nullptr;
    };
    /// Throws error when a statement is in flight. `to` must live until it has ended or the connection is released.
    void send_rows(const statement& s, const parameters& values, row_sink& to);
    /// Resumes reading after rows were consumed.
    void resume_reading() noexcept;

    /// Notifications received while none was awaited.
    [[nodiscard]] std::vector<notification>& notifications() noexcept { return notifications_; }

    // For a session: direct use of libpq, without pipeline mode and without reading here. Throws error while a
    // statement is in flight.
    [[nodiscard]] pg_conn* enter_simple_mode(std::string_view sql);
    void exit_simple_mode() noexcept;
    class io_wait;
    /// Waits for POLLIN or POLLOUT.
    [[nodiscard]] io_wait wait_io(int events) noexcept;

private:
    struct in_flight {
        pending_query* query = nullptr;  // null: abandoned or internal
        result_ptr result;
        std::uint64_t hash = 0;  // 0: unnamed
        std::uint64_t serial = 0;
        std::uint64_t generation = 0;
        bool failed = false;
        bool required = false;
        bool checks_backend = false;  // checks the backend PID
        bool preparing = false;
        bool prepare_failed = false;
        bool internal = false;
        bool to_sink = false;  // rows go to the sink
    };

    void polled(int events) noexcept override;
    void watch(int events) noexcept;
    void unwatch() noexcept;
    void poll_connect() noexcept;
    void on_established();
    void fail_connect(const std::string& message) noexcept;
    void read() noexcept;
    void flush() noexcept;
    void process_results() noexcept;
    void on_result(result_ptr r) noexcept;
    void record_latency(instant start) noexcept;
    void on_sync() noexcept;
    void complete(in_flight e) noexcept;
    void on_drained() noexcept;
    void pin_settings() noexcept;
    [[nodiscard]] bool settings_applied() const noexcept;
    void collect_notifications() noexcept;
    [[nodiscard]] bool left_transaction_open(const in_flight& e) const noexcept;
    void fail_open_transaction(in_flight e) noexcept;
    void complete_internal(const in_flight& e) noexcept;
    void complete_stream(in_flight e) noexcept;
    [[nodiscard]] bool reserve_name(const pending_query& c);
    void check_backend() noexcept;
    [[nodiscard]] bool send_prepared(const statement& s, in_flight& e);
    [[nodiscard]] bool forget_if_stale(const in_flight& e) noexcept;
    [[nodiscard]] bool can_retry(const pending_query& c) const noexcept;
    [[nodiscard]] bool reset_session() noexcept;
    void require_not_exclusive(std::string_view sql) const;
    void push(in_flight e);
    void sync_and_flush() noexcept;
    void cork() noexcept;
    [[nodiscard]] bool is_paused() const noexcept;
    void clean_up() noexcept;
    void cancel_if_all_abandoned() noexcept;
    void request_cancel() noexcept;
    void close_libpq() noexcept;
    [[nodiscard]] bool all_abandoned() const noexcept { return load() > 0 && abandoned_ == load(); }

    struct connection_timer : timer {
        connection_timer(connection& c, function f) noexcept : timer(f), owner(c) {}
        connection& owner;
    };

    pool& pool_;
    event_loop& loop_;
    std::uint64_t id_;
    pg_conn* conn_ = nullptr;
    statement_cache statements_;
    std::vector<in_flight> in_flight_;  // in flight from first_in_flight_ on
    std::size_t first_in_flight_ = 0;
    std::size_t abandoned_ = 0;
    std::size_t completed_count_ = 0;   // statements completed by the input being read
    std::uint64_t completed_hash_ = 0;  // their hash; 0: they differ
    instant last_sent_at_{};            // turn of the last send
    bool corked_ = false;
    instant state_since_{};  // since when the oldest statement in flight is the oldest, or since when idle
    int watching_ = 0;
    phase phase_ = phase::connecting;
    bool cancelling_ = false;
    bool releasing_ = false;
    bool options_sent_ = false;
    bool pinned_ = false;  // settings made by a statement
    bool backend_checked_ = false;
    bool direct_backend_ = false;
    session_changes changes_ = session_changes::none;
    std::exception_ptr internal_failure_;
    std::vector<notification> notifications_;
    bool simple_mode_ = false;
    row_sink* sink_ = nullptr;
    io_wait* io_waiter_ = nullptr;
    connection_timer deadline_timer_;
    connection_timer cancel_timer_;
};

class connection::io_wait final : public waiter {
public:
    io_wait(connection& c, int events) noexcept;
    ~io_wait();
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
        return suspend(handle) && start();
    }
    void await_resume() const { check(); }

private:
    friend class connection;
    bool start() noexcept;
    connection& connection_;
    int events_;
};

}  // namespace rondo::db::postgres
