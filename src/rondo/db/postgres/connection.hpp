// SPDX-License-Identifier: Apache-2.0
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

class borrower;
class pool;

/// Throws error: a stream does not begin on a connection that is in use.
[[noreturn]] void refuse_stream(std::string_view sql);

/// What libpq is told: names and values of connection parameters.
using connect_parameters = std::vector<std::pair<std::string, std::string>>;

/// A connection to the server, in libpq's pipeline mode: any number of statements are on their way, each followed by a
/// Sync, so that each is a transaction of its own and a failure concerns nobody else.
///
/// Cancellation. A cancel request names a connection, not a statement: whatever runs when it arrives is ended. So one
/// is made only when every statement on the way is abandoned, and until it has been served nothing new is sent here. A
/// statement that somebody still waits for is thus never hit.
///
/// Transactions. Only on a lent connection may a statement leave one open: elsewhere what others sent behind it would
/// run inside and be lost with it. Such statements are refused before they are sent (effect.hpp); should one come
/// through nevertheless, the connection is closed and everything that ran inside fails.
class connection final : poll_operation {
public:
    enum class phase : std::uint8_t { connecting, ready, closed };

    connection(pool& owner, event_loop& loop, std::uint64_t id);
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    /// Connecting has not begun.
    [[nodiscard]] bool unstarted() const noexcept { return phase_ == phase::connecting && !conn_; }
    /// Begins to connect: the pool's connected() or connect_failed() is called. `with_options`: the parameters hold the
    /// settings of target.hpp; otherwise they are made by a statement.
    void start(const connect_parameters& parameters, bool with_options, clock::duration limit);
    [[nodiscard]] bool options_sent() const noexcept { return options_sent_; }
    /// Does not begin: why.
    void refuse(const std::string& message) noexcept { connect_failed(message); }

    /// Sends a statement. Throws error for parameters that cannot be sent; what else goes wrong fails the command.
    void send(command& c);
    /// Lets go what was held back; at the end of the loop's turn.
    void uncork() noexcept;
    /// Nobody waits for it any more.
    void abandon(command& c) noexcept;

    [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
    [[nodiscard]] phase state() const noexcept { return phase_; }
    /// Statements on their way.
    [[nodiscard]] std::size_t load() const noexcept { return sent_.size() - first_; }
    [[nodiscard]] bool idle() const noexcept { return phase_ == phase::ready && load() == 0 && !cancelling_; }
    /// May take a statement of anybody: not when the one it works on is slow, or is to be cancelled.
    [[nodiscard]] bool takes_more(instant now) const noexcept;
    [[nodiscard]] instant idle_since() const noexcept { return since_; }

    /// Sends a statement whose result nobody wants to know. `needed`: the connection is closed when it fails.
    void send_own(const std::string& sql, bool needed = false) noexcept;
    /// The failure of what was sent so since this was asked for last.
    [[nodiscard]] std::exception_ptr own_failure() noexcept { return std::exchange(own_failure_, nullptr); }

    // Lending: the pool sets it, the session's end returns it.
    bool lent = false;
    bool extra = false;              ///< one beside the pool: its messages are kept
    bool reserved = false;           ///< to be lent when it is idle
    borrower* granted_to = nullptr;  ///< who was given it and does not know yet
    /// The session is over: what runs is cancelled, a transaction rolled back, what it changed in the connection set
    /// back; then the pool is told.
    void returned() noexcept;
    /// A transaction is open; known when nothing is on its way.
    [[nodiscard]] bool in_transaction() const noexcept;
    /// What the session did to it, and has to be set back: `all` is settings and what else belongs to a session but
    /// names of PREPARE, `prepared` those too.
    enum class traces : std::uint8_t { none, settings, all, prepared };
    void leave(traces t) noexcept { traces_ = std::max(traces_, t); }
    /// Looks at the tag of a command that has succeeded.
    void note_tag(const pg_result* r) noexcept;
    /// Whether the process that serves it is the one that was said when it was made: when not, there is a pooler in
    /// between, and within a transaction nothing has a name.
    [[nodiscard]] bool asked_for_server() const noexcept { return asked_for_server_; }
    void served_by(const pg_result* r) noexcept;

    /// The cancel request was served.
    void cancel_served() noexcept;
    /// Fails what is on its way and closes.
    void close(std::string_view why) noexcept;

    // For a session: rows as they come, one result each; reading pauses while there are many.
    struct row_sink {
        std::vector<result_ptr> rows;
        bool ended = false;
        std::exception_ptr failure;
        waiter* waiting = nullptr;
    };
    /// Precondition: nothing is on its way. `to` must live until it has ended or the connection is returned.
    void send_rows(const statement& s, const parameters& values, row_sink& to);
    /// Rows were taken.
    void read_on() noexcept;

    /// Messages that came while nobody waited for them.
    [[nodiscard]] std::vector<notification>& heard() noexcept { return heard_; }

    // For a session: libpq itself, without pipeline mode and without anybody reading. Throws error while anything else
    // runs.
    [[nodiscard]] pg_conn* begin_simple(std::string_view sql);
    void end_simple() noexcept;
    class io_wait;
    /// Waits for POLLIN, POLLOUT.
    [[nodiscard]] io_wait io(int events) noexcept;

private:
    struct in_flight {
        command* who = nullptr;  // null: abandoned, or our own
        result_ptr got;
        std::uint64_t hash = 0;  // 0: it has no name
        std::uint64_t serial = 0;
        std::uint64_t generation = 0;
        bool failed = false;
        bool needed = false;
        bool asks = false;  // who serves the connection
        bool preparing = false;
        bool prepare_failed = false;
        bool ours = false;
        bool rows = false;  // goes to the sink
    };

    void polled(int events) noexcept override;
    void watch(int events) noexcept;
    void unwatch() noexcept;
    void go_on_connecting() noexcept;
    void established();
    void connect_failed(const std::string& message) noexcept;
    void read() noexcept;
    void flush() noexcept;
    void take_results() noexcept;
    void take(result_ptr r) noexcept;
    void note_speed(instant began) noexcept;
    void finish() noexcept;
    void settle(in_flight e) noexcept;
    void drained() noexcept;
    void pin_settings() noexcept;
    [[nodiscard]] bool settings_arrived() const noexcept;
    void keep_messages() noexcept;
    [[nodiscard]] bool left_open(const in_flight& e) const noexcept;
    void refuse_open(in_flight e) noexcept;
    void settle_own(const in_flight& e) noexcept;
    void settle_rows(in_flight e) noexcept;
    [[nodiscard]] bool make_ready(const command& c);
    void ask_for_server() noexcept;
    [[nodiscard]] bool send_prepared(const statement& s, in_flight& e);
    [[nodiscard]] bool note_stale(const in_flight& e) noexcept;
    [[nodiscard]] bool repeats(const command& c) const noexcept;
    [[nodiscard]] bool set_back() noexcept;
    void require_free(std::string_view sql) const;
    void push(in_flight e);
    void sent() noexcept;
    void cork() noexcept;
    [[nodiscard]] bool paused() const noexcept;
    void recover() noexcept;
    void cancel_when_alone() noexcept;
    void request_cancel() noexcept;
    void finish_libpq() noexcept;
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
    std::vector<in_flight> sent_;  // from first_ on
    std::size_t first_ = 0;
    std::size_t abandoned_ = 0;
    std::size_t ended_ = 0;         // statements that ended with the input being read,
    std::uint64_t ended_hash_ = 0;  // and which, when it is one and the same
    instant sent_at_{};             // the turn something was sent in last
    bool corked_ = false;
    instant since_{};  // the first statement on its way is the first since then; or idle since then
    int watching_ = 0;
    phase phase_ = phase::connecting;
    bool cancelling_ = false;
    bool returning_ = false;
    bool options_sent_ = false;
    bool pinned_ = false;  // by a statement
    bool asked_for_server_ = false;
    bool direct_ = false;
    traces traces_ = traces::none;
    std::exception_ptr own_failure_;
    std::vector<notification> heard_;
    bool simple_ = false;
    row_sink* sink_ = nullptr;
    io_wait* waiting_io_ = nullptr;
    connection_timer limit_;
    connection_timer cancel_timer_;
};

class connection::io_wait final : public waiter {
public:
    io_wait(connection& c, int events) noexcept;
    ~io_wait();
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) noexcept {
        return suspend(who) && enter();
    }
    void await_resume() const { check(); }

private:
    friend class connection;
    bool enter() noexcept;
    connection& connection_;
    int events_;
};

}  // namespace rondo::db::postgres
