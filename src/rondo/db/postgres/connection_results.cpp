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
#include <rondo/db/postgres/failure.hpp>
#include <rondo/db/postgres/pool.hpp>
#include <rondo/db/postgres/statement_effect.hpp>

namespace rondo::db::postgres {

// While more is in flight, libpq does not report the transaction status; use the command tag.
bool connection::left_open(const in_flight& e) const noexcept {
    if (lent || e.ours) return false;
    if (load() == 0) return in_transaction();
    const std::string_view tag = e.failed || !e.got ? "" : PQcmdStatus(e.got.get());
    return tag == "BEGIN" || tag == "START TRANSACTION";
}

void connection::refuse_open(in_flight e) noexcept {
    const char* message =
        "a plain statement left a transaction open on a shared connection; it was rolled back: use transaction()";
    log::warning(fmt::format("PostgreSQL: {}{}", message, e.who ? fmt::format(" [{}]", e.who->sql().text()) : ""));
    if (e.who) e.who->fail(std::make_exception_ptr(error(message, "25001", std::string(e.who->sql().text()))));
    else --abandoned_;
    close("an earlier statement left a transaction open; everything in it was rolled back");
}

void connection::settle(in_flight e) noexcept {
    const bool stale = e.failed && note_stale(e);
    if (!e.failed && !e.ours) note_tag(e.got.get());
    if (e.rows && sink_) return settle_rows(std::move(e));
    if (e.ours) return settle_own(e);
    if (!e.who) {
        --abandoned_;
        return;
    }
    command& c = *e.who;
    if (!e.failed) return c.succeed(std::move(e.got));
    if (stale && repeats(c)) {
        c.repeated = true;
        return pool_.give(c, *this);
    }
    c.fail(failure_of(e.got.get(), c.sql().text()));
}

void connection::settle_rows(in_flight e) noexcept {
    row_sink& to = *std::exchange(sink_, nullptr);
    to.ended = true;
    if (e.failed) to.failure = failure_of(e.got.get(), {});
    if (to.waiting) to.waiting->wake();
}

void connection::settle_own(const in_flight& e) noexcept {
    if (e.asks && !e.failed) served_by(e.got.get());
    if (!e.failed) return;
    if (!own_failure_) own_failure_ = failure_of(e.got.get(), {});
    if (e.needed) close(PQresultErrorMessage(e.got.get()));
}

// The prepared statement is stale: a table changed, or a pooler assigned a connection that has other names. Nothing was
// executed then. The routine name is never translated, unlike the message.
bool connection::note_stale(const in_flight& e) noexcept {
    if (e.hash == 0 || !e.got) return false;
    const char* code = PQresultErrorField(e.got.get(), PG_DIAG_SQLSTATE);
    const char* routine = PQresultErrorField(e.got.get(), PG_DIAG_SOURCE_FUNCTION);
    const std::string_view sqlstate = code ? code : "";
    if (sqlstate == "0A000" && routine && std::string_view(routine) == "RevalidateCachedQuery") {
        statements_.outdate(e.hash, e.serial);
        return true;
    }
    // Parameter types are fixed by PREPARE, but a column may have changed its type since: drop the statement, so that a
    // value fails at most once for this reason. Usually the value itself is wrong, so it is not retried.
    constexpr std::string_view type_errors[] = {"22P02", "22003", "22007", "22008", "42804", "42883"};
    if (!e.preparing && std::ranges::find(type_errors, sqlstate) != std::end(type_errors))
        statements_.outdate(e.hash, e.serial);
    const bool unknown_name = sqlstate == "26000" && !e.preparing;
    const bool duplicate_name = sqlstate == "42P05" && e.prepare_failed;
    if (unknown_name || duplicate_name || e.prepare_failed) statements_.forget(e.hash, e.serial);
    if (!unknown_name && !duplicate_name) return false;
    if (e.generation == statements_.generation()) pool_.names_are_not_kept();
    return true;
}

bool connection::repeats(const command& c) const noexcept {
    const bool outside_transaction = !lent || PQtransactionStatus(conn_) == PQTRANS_IDLE;
    return !c.repeated && outside_transaction && is_atomic(c.sql().text());
}

// Command tags are part of the protocol and never translated.
void connection::note_tag(const pg_result* r) noexcept {
    const std::string_view tag = r ? PQcmdStatus(const_cast<pg_result*>(r)) : "";
    if (tag == "DISCARD ALL" || tag == "DEALLOCATE ALL") statements_.clear();
    if (!lent) return;
    if (tag == "LISTEN" || tag == "DECLARE CURSOR" || tag.starts_with("DISCARD")) leave(traces::all);
    if (tag == "PREPARE" || tag == "DEALLOCATE") leave(traces::prepared);
}

void connection::served_by(const pg_result* r) noexcept {
    asked_for_server_ = true;
    if (PQntuples(r) != 1 || PQnfields(r) != 1) return;
    direct_ = std::to_string(PQbackendPID(conn_)) == PQgetvalue(r, 0, 0);
}

bool connection::in_transaction() const noexcept {
    return conn_ && PQtransactionStatus(conn_) != PQTRANS_IDLE && PQtransactionStatus(conn_) != PQTRANS_ACTIVE;
}

}  // namespace rondo::db::postgres
