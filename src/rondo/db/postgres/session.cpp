// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/session.hpp>

#include <libpq-fe.h>

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <poll.h>

#include <rondo/coro/this_context.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/postgres/failure.hpp>
#include <rondo/db/postgres/pool.hpp>
#include <rondo/db/postgres/statement_effect.hpp>
#include <rondo/db/postgres/tls_input.hpp>

namespace rondo::db::postgres {

namespace {

class sink_wait final : public waiter {
public:
    explicit sink_wait(connection::row_sink& s) noexcept
        : waiter([](waiter& self) noexcept { static_cast<sink_wait&>(self).sink_.waiting = nullptr; }), sink_(s) {}
    ~sink_wait() { sink_.waiting = nullptr; }
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
        if (!suspend(handle)) return false;
        sink_.waiting = this;
        return true;
    }
    void await_resume() const { check(); }

private:
    connection::row_sink& sink_;
};

std::string begin_statement(const transaction_options& o) {
    std::string sql = "begin";
    switch (o.level) {
        case isolation::standard: break;
        case isolation::read_committed: sql += " isolation level read committed"; break;
        case isolation::repeatable_read: sql += " isolation level repeatable read"; break;
        case isolation::serializable: sql += " isolation level serializable"; break;
    }
    if (o.read_only) sql += " read only";
    return sql;
}

// statement_timeout exceeds the deadline by this: our own cancellation comes first, if it can reach the server.
constexpr auto behind_deadline = std::chrono::milliseconds(500);

[[noreturn]] void lost() { throw connection_lost("the connection to PostgreSQL was lost"); }

}  // namespace

lent_session::lent_session(pool& p, connection& c) noexcept : pool_(p), connection_(&c) { pool_.add(*this); }

lent_session::~lent_session() {
    if (connection_) connection_->returned();
}

connection& lent_session::line() const {
    if (!connection_) throw connection_lost("the database object was closed");
    return *connection_;
}

void lent_session::note(effect e) {
    if (e == effect::sets || e == effect::configures) line().leave(connection::traces::settings);
    if (e == effect::listens || e == effect::session || e == effect::hidden || e == effect::executes)
        line().leave(connection::traces::all);
}

task<result_ptr> lent_session::run(statement s, parameters p) {
    command c(pool_, s, p, &line());
    co_return co_await c;
}

task<result> lent_session::query(statement s, parameters p) {
    const effect e = effect_of(s.text());
    refuse_lent(s, e, begun_);
    note(e);
    command c(pool_, s, p, &line());
    result_ptr r = co_await c;
    co_return rows_of(std::move(r));
}

// Sets the deadline as statement_timeout of the server, sent together with BEGIN: that costs no round trip. Neither
// does reading the backend PID.
task<void> lent_session::begin(transaction_options o) {
    const context* current = co_await this_context();
    const bool limited = current && current->deadline != instant::max();
    connection& conn = line();
    if (!limited && conn.asked_for_server()) {
        const dynamic_sql text(begin_statement(o));
        (void)co_await run(statement(text), parameters());
    } else {
        (void)conn.own_failure();
        conn.send_own(begin_statement(o));
        if (limited) {
            const auto remaining =
                std::chrono::ceil<std::chrono::milliseconds>(current->deadline - clock::now() + behind_deadline);
            const parameters timeout(std::to_string(std::max<std::int64_t>(remaining.count(), 1)));
            // A shorter timeout of the URL or the role stays.
            const result_ptr r = co_await run(
                "select pg_backend_pid() from set_config('statement_timeout', least($1::numeric, "
                "nullif(trunc(1000 * extract(epoch from current_setting('statement_timeout')::interval)), 0))::text, "
                "true)",
                timeout);
            line().served_by(r.get());
        } else {
            const result_ptr r = co_await run("select pg_backend_pid()", parameters());
            line().served_by(r.get());
        }
        if (const std::exception_ptr failure = line().own_failure()) std::rethrow_exception(failure);
    }
    begun_ = true;
}

task<void> lent_session::commit() {
    const result_ptr r = co_await run("commit", parameters());
    begun_ = false;
    if (std::string_view(PQcmdStatus(r.get())) == "ROLLBACK") {
        throw error(
            "the transaction was rolled back, not committed: a statement in it failed and its exception was "
            "swallowed",
            "25P02", "commit");
    }
}

task<void> lent_session::rollback() {
    (void)co_await run("rollback", parameters());
    begun_ = false;
}

// ---- streams ----

task<std::uint64_t> lent_session::start_rows(statement s, parameters p) {
    co_await checkpoint();
    // The connection may have completed the last stream while rows are still buffered here.
    if (sink_ && (!sink_->rows.empty() || sink_->failure)) refuse_stream(s.text());
    const effect e = effect_of(s.text());
    refuse_lent(s, e, true);
    note(e);
    auto sink = std::make_unique<connection::row_sink>();
    line().send_rows(s, p, *sink);
    sink_ = std::move(sink);
    co_return ++stream_;
}

task<result> lent_session::next_rows(std::uint64_t stream) {
    if (stream != stream_) co_return {};
    connection::row_sink& from = *sink_;
    while (from.rows.empty() && !from.ended) co_await sink_wait(from);
    std::vector<result_ptr> rows = std::exchange(from.rows, {});
    if (rows.empty() && from.failure) std::rethrow_exception(std::exchange(from.failure, nullptr));
    if (!from.ended && connection_) connection_->read_on();
    co_return rows_of(std::move(rows));
}

// ---- libpq without pipeline mode ----

task<void> lent_session::flush(pg_conn* c) {
    for (;;) {
        const int remaining = PQflush(c);
        if (remaining == 0) break;
        if (remaining < 0) lost();
        co_await line().io(POLLIN | POLLOUT);
        if (line().state() != connection::phase::ready || !take_input(c)) lost();
    }
}

task<result_ptr> lent_session::next_result(pg_conn* c) {
    while (PQisBusy(c)) {
        co_await line().io(POLLIN);
        if (line().state() != connection::phase::ready || !take_input(c)) lost();
    }
    co_return result_ptr(PQgetResult(c));
}

// Derives from command tags whether the enclosing transaction ended. COMMIT ends it; ROLLBACK does when BEGIN follows:
// alone it may be ROLLBACK TO SAVEPOINT, which has the same tag.
struct lent_session::transaction_tags {
    void note(std::string_view tag) noexcept {
        const bool begins = tag == "BEGIN" || tag == "START TRANSACTION";
        if (tag == "COMMIT" || tag == "PREPARE TRANSACTION" || (rolled_back && begins)) ended = true;
        if (tag == "ROLLBACK") rolled_back = true;
    }
    bool rolled_back = false;
    bool ended = false;
};

// Reads the remaining results; returns the first failure, otherwise the last result.
task<result_ptr> lent_session::last_result(pg_conn* c, transaction_tags& tags) {
    result_ptr selected;
    for (;;) {
        result_ptr r = co_await next_result(c);
        if (!r) break;
        const auto status = PQresultStatus(r.get());
        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
            line().note_tag(r.get());
            tags.note(PQcmdStatus(const_cast<PGresult*>(r.get())));
        }
        if (!selected || PQresultStatus(selected.get()) != PGRES_FATAL_ERROR) selected = std::move(r);
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) break;
    }
    co_return selected;
}

task<void> lent_session::script(std::string_view sql) {
    co_await checkpoint();
    refuse_zero_byte(sql);
    const std::string text(sql);
    connection& conn = line();
    conn.leave(connection::traces::all);  // the script is not analysed
    pg_conn* c = conn.begin_simple(text);
    if (!PQsendQuery(c, text.c_str())) lost();
    co_await flush(c);
    transaction_tags tags;
    const result_ptr last = co_await last_result(c, tags);
    const auto status = last ? PQresultStatus(last.get()) : PGRES_EMPTY_QUERY;
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) {
        line().close("a script started a COPY");
        throw error(
            "COPY is not allowed in a script: use copy_in() or copy_out(); the earlier statements of the script were "
            "rolled back unless it committed them",
            {}, text);
    }
    line().end_simple();
    if (status == PGRES_FATAL_ERROR) std::rethrow_exception(failure_of(last.get(), text));
    const bool open = line().in_transaction();
    if (begun_ && (!open || tags.ended || (tags.rolled_back && chains(text)))) {
        begun_ = false;
        throw error(
            "the script ended the transaction it runs in, which is therefore not atomic: use COMMIT and ROLLBACK only "
            "through transaction()",
            {}, text);
    }
    if (!begun_ && open)  // rolled back when the connection is released
        throw error("the script left a transaction open, which is rolled back: end it with COMMIT", {}, text);
}

// Uses the extended protocol, in which a text is a single statement.
task<void> lent_session::start_copy(statement s, copy_way way) {
    co_await checkpoint();
    refuse_zero_byte(s.text());
    line().leave(connection::traces::all);  // a COPY runs the functions of its query, of defaults and of triggers
    simple_ = line().begin_simple(s.text());
    if (!PQsendQueryParams(simple_, s.text().data(), 0, nullptr, nullptr, nullptr, nullptr, 0)) lost();
    co_await flush(simple_);
    transaction_tags tags;
    const result_ptr r = co_await last_result(simple_, tags);
    const auto status = r ? PQresultStatus(r.get()) : PGRES_FATAL_ERROR;
    if (status == (way == copy_way::in ? PGRES_COPY_IN : PGRES_COPY_OUT)) co_return;
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) {
        line().close("a COPY has the other direction");
        throw error(way == copy_way::in ? "copy_in() is for COPY ... FROM STDIN: use copy_out()"
                                        : "copy_out() is for COPY ... TO STDOUT: use copy_in()",
                    {}, std::string(s.text()));
    }
    line().end_simple();
    if (r && status == PGRES_FATAL_ERROR) std::rethrow_exception(failure_of(r.get(), s.text()));
    throw error("the statement is not COPY ... FROM STDIN or COPY ... TO STDOUT", {}, std::string(s.text()));
}

task<void> lent_session::write_copy(std::string_view bytes) {
    for (;;) {
        const int sent = PQputCopyData(simple_, bytes.data(), static_cast<int>(bytes.size()));
        if (sent < 0) lost();
        co_await flush(simple_);
        if (sent > 0) break;
    }
}

task<std::uint64_t> lent_session::end_copy() {
    while (PQputCopyEnd(simple_, nullptr) == 0) co_await flush(simple_);
    co_await flush(simple_);
    transaction_tags tags;
    const result_ptr r = co_await last_result(simple_, tags);
    line().end_simple();
    if (!r || PQresultStatus(r.get()) == PGRES_FATAL_ERROR) {
        if (r) std::rethrow_exception(failure_of(r.get(), "copy"));
        lost();
    }
    const std::string_view count = PQcmdTuples(const_cast<PGresult*>(r.get()));
    std::uint64_t rows = 0;
    std::from_chars(count.data(), count.data() + count.size(), rows);
    co_return rows;
}

task<std::optional<std::string>> lent_session::read_copy() {
    for (;;) {
        char* bytes = nullptr;
        const int size = PQgetCopyData(simple_, &bytes, 1);
        if (size > 0) {
            std::string piece(bytes, static_cast<std::size_t>(size));
            PQfreemem(bytes);
            co_return piece;
        }
        if (size < 0) break;
        co_await line().io(POLLIN);
        if (line().state() != connection::phase::ready || !take_input(simple_)) lost();
    }
    transaction_tags tags;
    const result_ptr r = co_await last_result(simple_, tags);
    line().end_simple();
    if (r && PQresultStatus(r.get()) == PGRES_FATAL_ERROR) std::rethrow_exception(failure_of(r.get(), "copy"));
    co_return std::nullopt;
}

// ---- messages ----

// Between LISTEN and the first call the connection buffers notifications, later libpq does. Notifications received
// before the connection broke are returned first.
task<notification> lent_session::next_notification() {
    std::vector<notification>& buffered = line().heard();
    if (!buffered.empty()) {
        notification first = std::move(buffered.front());
        buffered.erase(buffered.begin());
        co_return first;
    }
    if (!simple_) simple_ = line().begin_simple({});
    for (;;) {
        if (line().state() != connection::phase::ready) lost();
        const bool connected = take_input(simple_);
        const std::unique_ptr<PGnotify, void (*)(void*)> n(PQnotifies(simple_), PQfreemem);
        if (n) {
            notification message{n->relname, n->extra};
            co_return message;
        }
        if (!connected) lost();
        co_await line().io(POLLIN);
    }
}

}  // namespace rondo::db::postgres
