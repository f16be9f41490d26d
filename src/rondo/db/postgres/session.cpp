// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/session.hpp>

#include <libpq-fe.h>

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <poll.h>

#include <rondo/coro/this_context.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/postgres/consume_input.hpp>
#include <rondo/db/postgres/errors.hpp>
#include <rondo/db/postgres/pool.hpp>
#include <rondo/db/postgres/statement_effect.hpp>

namespace rondo::db::postgres {

namespace {

class row_wait final : public waiter {
public:
    explicit row_wait(connection::row_sink& s) noexcept
        : waiter([](waiter& self) noexcept { static_cast<row_wait&>(self).sink_.reader = nullptr; }), sink_(s) {}
    ~row_wait() { sink_.reader = nullptr; }
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
        if (!suspend(handle)) return false;
        sink_.reader = this;
        return true;
    }
    void await_resume() const { check(); }

private:
    connection::row_sink& sink_;
};

std::string begin_statement(const transaction_options& o) {
    std::string sql = "begin";
    switch (o.isolation) {
        case isolation_level::server_default: break;
        case isolation_level::read_committed: sql += " isolation level read committed"; break;
        case isolation_level::repeatable_read: sql += " isolation level repeatable read"; break;
        case isolation_level::serializable: sql += " isolation level serializable"; break;
    }
    if (o.read_only) sql += " read only";
    return sql;
}

// statement_timeout exceeds the deadline by this: our own cancellation comes first, if it can reach the server.
constexpr auto deadline_margin = std::chrono::milliseconds(500);

[[noreturn]] void throw_connection_lost() { throw connection_lost("the connection to PostgreSQL was lost"); }

}  // namespace

leased_session::leased_session(pool& p, connection& c) noexcept : pool_(p), connection_(&c) {
    pool_.register_session(*this);
}

leased_session::~leased_session() {
    if (connection_) connection_->release();
}

connection& leased_session::require_connection() const {
    if (!connection_) throw connection_lost("the database object was closed");
    return *connection_;
}

void leased_session::record_effect(effect e) {
    if (e == effect::sets || e == effect::configures)
        require_connection().record_changes(connection::session_changes::settings);
    if (e == effect::listens || e == effect::session_state || e == effect::opaque || e == effect::executes)
        require_connection().record_changes(connection::session_changes::all);
}

task<result_ptr> leased_session::run_query(statement s, parameters p) {
    pending_query c(pool_, s, p, &require_connection());
    co_return co_await c;
}

task<result> leased_session::query(statement s, parameters p) {
    const effect e = effect_of(s.text());
    refuse_on_leased(s, e, transaction_open_);
    record_effect(e);
    pending_query c(pool_, s, p, &require_connection());
    result_ptr r = co_await c;
    co_return make_result(std::move(r));
}

// Sets the deadline as statement_timeout of the server, sent together with BEGIN: that costs no round trip. Neither
// does reading the backend PID.
task<void> leased_session::begin(transaction_options o) {
    const task_context* current = co_await this_context();
    const bool limited = current && current->deadline != instant::max();
    connection& conn = require_connection();
    if (!limited && conn.is_backend_checked()) {
        const dynamic_sql text(begin_statement(o));
        (void)co_await run_query(statement(text), parameters());
    } else {
        (void)conn.take_internal_failure();
        conn.send_internal(begin_statement(o));
        if (limited) {
            const auto remaining =
                std::chrono::ceil<std::chrono::milliseconds>(current->deadline - clock::now() + deadline_margin);
            const parameters timeout(std::to_string(std::max<std::int64_t>(remaining.count(), 1)));
            // A shorter timeout of the URL or the role stays.
            const result_ptr r = co_await run_query(
                "select pg_backend_pid() from set_config('statement_timeout', least($1::numeric, "
                "nullif(trunc(1000 * extract(epoch from current_setting('statement_timeout')::interval)), 0))::text, "
                "true)",
                timeout);
            require_connection().check_backend_pid(r.get());
        } else {
            const result_ptr r = co_await run_query("select pg_backend_pid()", parameters());
            require_connection().check_backend_pid(r.get());
        }
        if (const std::exception_ptr failure = require_connection().take_internal_failure())
            std::rethrow_exception(failure);
    }
    transaction_open_ = true;
}

task<void> leased_session::commit() {
    const result_ptr r = co_await run_query("commit", parameters());
    transaction_open_ = false;
    if (std::string_view(PQcmdStatus(r.get())) == "ROLLBACK") {
        throw error(
            "the transaction was rolled back, not committed: a statement in it failed and its exception was "
            "swallowed",
            "25P02", "commit");
    }
}

task<void> leased_session::rollback() {
    (void)co_await run_query("rollback", parameters());
    transaction_open_ = false;
}

// ---- streams ----

task<std::uint64_t> leased_session::start_stream(statement s, parameters p) {
    co_await checkpoint();
    // The connection may have completed the last stream while rows are still buffered here.
    if (sink_ && (!sink_->rows.empty() || sink_->failure)) refuse_stream(s.text());
    const effect e = effect_of(s.text());
    refuse_on_leased(s, e, true);
    record_effect(e);
    auto sink = std::make_unique<connection::row_sink>();
    require_connection().send_rows(s, p, *sink);
    sink_ = std::move(sink);
    co_return ++stream_number_;
}

task<result> leased_session::next_rows(std::uint64_t stream) {
    if (stream != stream_number_) co_return {};
    connection::row_sink& from = *sink_;
    while (from.rows.empty() && !from.ended) co_await row_wait(from);
    std::vector<result_ptr> rows = std::exchange(from.rows, {});
    if (rows.empty() && from.failure) std::rethrow_exception(std::exchange(from.failure, nullptr));
    if (!from.ended && connection_) connection_->resume_reading();
    co_return make_result(std::move(rows));
}

// ---- libpq without pipeline mode ----

task<void> leased_session::flush(pg_conn* c) {
    for (;;) {
        const int remaining = PQflush(c);
        if (remaining == 0) break;
        if (remaining < 0) throw_connection_lost();
        co_await require_connection().wait_io(POLLIN | POLLOUT);
        if (require_connection().state() != connection::phase::ready || !consume_input(c)) throw_connection_lost();
    }
}

task<result_ptr> leased_session::next_result(pg_conn* c) {
    while (PQisBusy(c)) {
        co_await require_connection().wait_io(POLLIN);
        if (require_connection().state() != connection::phase::ready || !consume_input(c)) throw_connection_lost();
    }
    co_return result_ptr(PQgetResult(c));
}

// Derives from command tags whether the enclosing transaction ended. COMMIT ends it; ROLLBACK does when BEGIN follows:
// alone it may be ROLLBACK TO SAVEPOINT, which has the same tag.
struct leased_session::transaction_tags {
    void record(std::string_view tag) noexcept {
        const bool begins = tag == "BEGIN" || tag == "START TRANSACTION";
        if (tag == "COMMIT" || tag == "PREPARE TRANSACTION" || (rolled_back && begins)) ended = true;
        if (tag == "ROLLBACK") rolled_back = true;
    }
    bool rolled_back = false;
    bool ended = false;
};

// Reads the remaining results; returns the first failure, otherwise the last result.
task<result_ptr> leased_session::last_result(pg_conn* c, transaction_tags& tags) {
    result_ptr selected;
    for (;;) {
        result_ptr r = co_await next_result(c);
        if (!r) break;
        const auto status = PQresultStatus(r.get());
        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
            require_connection().record_command_tag(r.get());
            tags.record(PQcmdStatus(const_cast<PGresult*>(r.get())));
        }
        if (!selected || PQresultStatus(selected.get()) != PGRES_FATAL_ERROR) selected = std::move(r);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) break;
    }
    co_return selected;
}

task<void> leased_session::execute_script(std::string_view sql) {
    co_await checkpoint();
    refuse_zero_byte(sql);
    const std::string text(sql);
    connection& conn = require_connection();
    conn.record_changes(connection::session_changes::all);  // the script is not analysed
    pg_conn* c = conn.enter_simple_mode(text);
    if (!PQsendQuery(c, text.c_str())) throw_connection_lost();
    co_await flush(c);
    transaction_tags tags;
    const result_ptr last = co_await last_result(c, tags);
    const auto status = last ? PQresultStatus(last.get()) : PGRES_EMPTY_QUERY;
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) {
        require_connection().close("a script started a COPY");
        throw error(
            "COPY is not allowed in a script: use copy_in() or copy_out(); the earlier statements of the script were "
            "rolled back unless it committed them",
            {}, text);
    }
    require_connection().exit_simple_mode();
    if (status == PGRES_FATAL_ERROR) std::rethrow_exception(make_error(last.get(), text));
    const bool open = require_connection().in_transaction();
    if (transaction_open_ && (!open || tags.ended || (tags.rolled_back && has_and_chain(text)))) {
        transaction_open_ = false;
        throw error(
            "the script ended the transaction it runs in, which is therefore not atomic: use COMMIT and ROLLBACK only "
            "through transaction()",
            {}, text);
    }
    if (!transaction_open_ && open)  // rolled back when the connection is released
        throw error("the script left a transaction open, which is rolled back: end it with COMMIT", {}, text);
}

// Uses the extended protocol, in which a text is a single statement.
task<void> leased_session::start_copy(statement s, copy_direction direction) {
    co_await checkpoint();
    refuse_zero_byte(s.text());
    require_connection().record_changes(
        connection::session_changes::all);  // a COPY runs the functions of its query, of defaults and of triggers
    simple_conn_ = require_connection().enter_simple_mode(s.text());
    if (!PQsendQueryParams(simple_conn_, s.text().data(), 0, nullptr, nullptr, nullptr, nullptr, 0))
        throw_connection_lost();
    co_await flush(simple_conn_);
    transaction_tags tags;
    const result_ptr r = co_await last_result(simple_conn_, tags);
    const auto status = r ? PQresultStatus(r.get()) : PGRES_FATAL_ERROR;
    if (status == (direction == copy_direction::in ? PGRES_COPY_IN : PGRES_COPY_OUT)) co_return;
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) {
        require_connection().close("a COPY has the other direction");
        throw error(direction == copy_direction::in ? "copy_in() is for COPY ... FROM STDIN: use copy_out()"
                                                    : "copy_out() is for COPY ... TO STDOUT: use copy_in()",
                    {}, std::string(s.text()));
    }
    require_connection().exit_simple_mode();
    if (r && status == PGRES_FATAL_ERROR) std::rethrow_exception(make_error(r.get(), s.text()));
    throw error("the statement is not COPY ... FROM STDIN or COPY ... TO STDOUT", {}, std::string(s.text()));
}

task<void> leased_session::write_copy(std::string_view bytes) {
    for (;;) {
        const int sent = PQputCopyData(simple_conn_, bytes.data(), static_cast<int>(bytes.size()));
        if (sent < 0) throw_connection_lost();
        co_await flush(simple_conn_);
        if (sent > 0) break;
    }
}

task<std::uint64_t> leased_session::end_copy() {
    while (PQputCopyEnd(simple_conn_, nullptr) == 0) co_await flush(simple_conn_);
    co_await flush(simple_conn_);
    transaction_tags tags;
    const result_ptr r = co_await last_result(simple_conn_, tags);
    require_connection().exit_simple_mode();
    if (!r || PQresultStatus(r.get()) == PGRES_FATAL_ERROR) {
        if (r) std::rethrow_exception(make_error(r.get(), "copy"));
        throw_connection_lost();
    }
    const std::string_view count = PQcmdTuples(const_cast<PGresult*>(r.get()));
    std::uint64_t rows = 0;
    std::from_chars(count.data(), count.data() + count.size(), rows);
    co_return rows;
}

task<std::optional<std::string>> leased_session::read_copy() {
    for (;;) {
        char* bytes = nullptr;
        const int size = PQgetCopyData(simple_conn_, &bytes, 1);
        if (size > 0) {
            std::string piece(bytes, static_cast<std::size_t>(size));
            PQfreemem(bytes);
            co_return piece;
        }
        if (size < 0) break;
        co_await require_connection().wait_io(POLLIN);
        if (require_connection().state() != connection::phase::ready || !consume_input(simple_conn_))
            throw_connection_lost();
    }
    transaction_tags tags;
    const result_ptr r = co_await last_result(simple_conn_, tags);
    require_connection().exit_simple_mode();
    if (r && PQresultStatus(r.get()) == PGRES_FATAL_ERROR) std::rethrow_exception(make_error(r.get(), "copy"));
    co_return std::nullopt;
}

// ---- messages ----

// Between LISTEN and the first call the connection buffers notifications, later libpq does. Notifications received
// before the connection broke are returned first.
task<notification> leased_session::next_notification() {
    std::vector<notification>& buffered = require_connection().notifications();
    if (!buffered.empty()) {
        notification first = std::move(buffered.front());
        buffered.erase(buffered.begin());
        co_return first;
    }
    if (!simple_conn_) simple_conn_ = require_connection().enter_simple_mode({});
    for (;;) {
        if (require_connection().state() != connection::phase::ready) throw_connection_lost();
        const bool connected = consume_input(simple_conn_);
        const std::unique_ptr<PGnotify, void (*)(void*)> n(PQnotifies(simple_conn_), PQfreemem);
        if (n) {
            notification message{n->relname, n->extra};
            co_return message;
        }
        if (!connected) throw_connection_lost();
        co_await require_connection().wait_io(POLLIN);
    }
}

}  // namespace rondo::db::postgres
