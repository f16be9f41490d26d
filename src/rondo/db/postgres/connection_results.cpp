// SPDX-License-Identifier: Apache-2.0
// connection: results of statements, stale prepared statements, command tags.
#include <libpq-fe.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/postgres/connection.hpp>
#include <rondo/db/postgres/errors.hpp>
#include <rondo/db/postgres/pool.hpp>
#include <rondo/db/postgres/statement_effect.hpp>

namespace rondo::db::postgres {

// While more is in flight, libpq does not report the transaction status; use the command tag.
bool connection::left_transaction_open(const in_flight& e) const noexcept {
    if (leased || e.internal) return false;
    if (load() == 0) return in_transaction();
    const std::string_view tag = e.failed || !e.result ? "" : PQcmdStatus(e.result.get());
    return tag == "BEGIN" || tag == "START TRANSACTION";
}

void connection::fail_open_transaction(in_flight e) noexcept {
    const char* message =
        "a plain statement left a transaction open on a shared connection; it was rolled back: use transaction()";
    log::warning(fmt::format("PostgreSQL: {}{}", message, e.query ? fmt::format(" [{}]", e.query->sql().text()) : ""));
    if (e.query) e.query->fail(std::make_exception_ptr(error(message, "25001", std::string(e.query->sql().text()))));
    else --abandoned_;
    close("an earlier statement left a transaction open; everything in it was rolled back");
}

void connection::complete(in_flight e) noexcept {
    const bool stale = e.failed && forget_if_stale(e);
    if (!e.failed && !e.internal) record_command_tag(e.result.get());
    if (e.to_sink && sink_) return complete_stream(std::move(e));
    if (e.internal) return complete_internal(e);
    if (!e.query) {
        --abandoned_;
        return;
    }
    pending_query& c = *e.query;
    if (!e.failed) return c.succeed(std::move(e.result));
    if (stale && can_retry(c)) {
        c.retried = true;
        return pool_.dispatch(c, *this);
    }
    c.fail(make_error(e.result.get(), c.sql().text()));
}

void connection::complete_stream(in_flight e) noexcept {
    row_sink& to = *std::exchange(sink_, nullptr);
    to.ended = true;
    if (e.failed) to.failure = make_error(e.result.get(), {});
    if (to.reader) to.reader->wake();
}

void connection::complete_internal(const in_flight& e) noexcept {
    if (e.checks_backend && !e.failed) check_backend_pid(e.result.get());
    if (!e.failed) return;
    if (!internal_failure_) internal_failure_ = make_error(e.result.get(), {});
    if (e.required) close(PQresultErrorMessage(e.result.get()));
}

// The prepared statement is stale: a table changed, or a pooler assigned a connection that has other names. Nothing was
// executed then. The routine name is never translated, unlike the message.
bool connection::forget_if_stale(const in_flight& e) noexcept {
    if (e.hash == 0 || !e.result) return false;
    const char* code = PQresultErrorField(e.result.get(), PG_DIAG_SQLSTATE);
    const char* routine = PQresultErrorField(e.result.get(), PG_DIAG_SOURCE_FUNCTION);
    const std::string_view sqlstate = code ? code : "";
    if (sqlstate == "0A000" && routine && std::string_view(routine) == "RevalidateCachedQuery") {
        statements_.invalidate(e.hash, e.serial);
        return true;
    }
    // Parameter types are fixed by PREPARE, but a column may have changed its type since: drop the statement, so that a
    // value fails at most once for this reason. Usually the value itself is wrong, so it is not retried.
    constexpr std::string_view type_errors[] = {"22P02", "22003", "22007", "22008", "42804", "42883"};
    if (!e.preparing && std::ranges::find(type_errors, sqlstate) != std::end(type_errors))
        statements_.invalidate(e.hash, e.serial);
    const bool unknown_name = sqlstate == "26000" && !e.preparing;
    const bool duplicate_name = sqlstate == "42P05" && e.prepare_failed;
    if (unknown_name || duplicate_name || e.prepare_failed) statements_.forget(e.hash, e.serial);
    if (!unknown_name && !duplicate_name) return false;
    if (e.generation == statements_.generation()) pool_.stop_naming_statements();
    return true;
}

bool connection::can_retry(const pending_query& c) const noexcept {
    const bool outside_transaction = !leased || PQtransactionStatus(conn_) == PQTRANS_IDLE;
    return !c.retried && outside_transaction && is_atomic(c.sql().text());
}

// Command tags are part of the protocol and never translated.
void connection::record_command_tag(const pg_result* r) noexcept {
    const std::string_view tag = r ? PQcmdStatus(const_cast<pg_result*>(r)) : "";
    if (tag == "DISCARD ALL" || tag == "DEALLOCATE ALL") statements_.clear();
    if (!leased) return;
    if (tag == "LISTEN" || tag == "DECLARE CURSOR" || tag.starts_with("DISCARD")) record_changes(session_changes::all);
    if (tag == "PREPARE" || tag == "DEALLOCATE") record_changes(session_changes::prepared);
}

void connection::check_backend_pid(const pg_result* r) noexcept {
    backend_checked_ = true;
    if (PQntuples(r) != 1 || PQnfields(r) != 1) return;
    direct_backend_ = std::to_string(PQbackendPID(conn_)) == PQgetvalue(r, 0, 0);
}

bool connection::in_transaction() const noexcept {
    return conn_ && PQtransactionStatus(conn_) != PQTRANS_IDLE && PQtransactionStatus(conn_) != PQTRANS_ACTIVE;
}

}  // namespace rondo::db::postgres
