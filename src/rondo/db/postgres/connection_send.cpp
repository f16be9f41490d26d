// SPDX-License-Identifier: Apache-2.0
// connection: sending statements.
#include <libpq-fe.h>

#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <rondo/db/error.hpp>
#include <rondo/db/postgres/connection.hpp>
#include <rondo/db/postgres/pool.hpp>

namespace rondo::db::postgres {

bool connection::accepts_more(instant now) const noexcept {
    using namespace std::chrono_literals;
    constexpr auto slow = 10ms;
    if (phase_ != phase::ready || leased || reserved || cancelling_) return false;
    return load() == 0 || (abandoned_ < load() && now - state_since_ < slow);
}

void connection::push(in_flight e) {
    if (load() == 0) state_since_ = loop_.now();
    if (first_in_flight_ > 64) {
        in_flight_.erase(in_flight_.begin(), in_flight_.begin() + static_cast<std::ptrdiff_t>(first_in_flight_));
        first_in_flight_ = 0;
    }
    in_flight_.push_back(std::move(e));
}

// Prepares in the same batch if needed: that costs no round trip.
bool connection::send_prepared(const statement& s, in_flight& e) {
    const encoder& values = pool_.parameter_encoder();
    statement_cache::entry* cached = statements_.find(s);
    if (!cached) cached = &statements_.add(s);
    e.hash = s.hash();
    e.serial = cached->serial;
    e.generation = statements_.generation();
    if (!cached->prepared) {
        cached->prepared = e.preparing = true;
        if (!PQsendPrepare(conn_, cached->name.c_str(), s.text().data(), 0, nullptr)) return false;
    }
    return PQsendQueryPrepared(conn_, cached->name.c_str(), values.count(), values.values(), values.lengths(),
                               values.formats(), 0) == 1;
}

// Whether to prepare the statement under a name; makes room for it. DEALLOCATE fails in a failed transaction, so on a
// leased connection evicted names are only queued. A pooler that tracks names per client does not see DEALLOCATE and
// would reject a reused name: nothing is evicted there. Sending may close the connection.
bool connection::reserve_name(const pending_query& c) {
    const std::size_t limit = pool_.limits().statement_cache_size;
    if (c.retried || !pool_.names_statements() || (leased && !direct_backend_)) return false;
    bool has_room = statements_.find(c.sql()) || statements_.size() < limit;
    if (!has_room && !backend_checked_) check_backend();
    else if (!has_room) has_room = direct_backend_ && statements_.evict_to_fit(limit);
    if (!leased)
        for (const std::string& name : statements_.take_retired()) send_internal("deallocate " + name);
    return has_room;
}

void connection::check_backend() noexcept {
    backend_checked_ = true;
    send_internal("select pg_backend_pid()");
    if (phase_ == phase::ready) in_flight_.back().checks_backend = true;
}

void refuse_stream(std::string_view sql) {
    throw error("a stream needs exclusive use of its connection: await the running statements first", {},
                std::string(sql));
}

void connection::require_not_exclusive(std::string_view sql) const {
    if (sink_) throw error("the connection is used by a stream: read all of its rows first", {}, std::string(sql));
    if (simple_mode_)
        throw error("the connection is used by a script or a copy: await its end first", {}, std::string(sql));
}

void connection::send(pending_query& c) {
    const std::string_view text = c.sql().text();
    require_not_exclusive(text);
    encoder& values = pool_.parameter_encoder();
    values.encode(c.values());
    const bool named = phase_ == phase::ready && reserve_name(c);
    if (phase_ != phase::ready) throw connection_lost("the connection to PostgreSQL was lost", {}, std::string(text));
    push({});
    in_flight& e = in_flight_.back();
    e.query = &c;
    c.assigned_to = this;
    c.state = pending_query::query_state::sent;
    const bool sent_whole = named ? send_prepared(c.sql(), e)
                                  : PQsendQueryParams(conn_, text.data(), values.count(), nullptr, values.values(),
                                                      values.lengths(), values.formats(), 0) == 1;
    if (!sent_whole) return close(PQerrorMessage(conn_));
    sync_and_flush();
}

// libpq sends at each Sync. Only the first statement of a turn is sent at once; the others are sent together at its
// end, so that the server wakes up once for all of them. TCP sockets only.
void connection::cork() noexcept {
    const instant now = loop_.now();
    if (std::exchange(last_sent_at_, now) != now || corked_) return;
    const int on = 1;
    if (setsockopt(PQsocket(conn_), IPPROTO_TCP, TCP_CORK, &on, sizeof on) != 0) return;
    corked_ = true;
    pool_.mark_corked();
}

void connection::uncork() noexcept {
    if (!std::exchange(corked_, false) || !conn_) return;
    const int off = 0;
    setsockopt(PQsocket(conn_), IPPROTO_TCP, TCP_CORK, &off, sizeof off);
}

void connection::sync_and_flush() noexcept {
    cork();
    if (!PQpipelineSync(conn_)) return close(PQerrorMessage(conn_));
    if (const int unsent = PQflush(conn_); unsent != 0) flush();
}

void connection::send_internal(const std::string& sql, bool required) noexcept {
    if (phase_ != phase::ready) return;
    in_flight e;
    e.internal = true;
    e.required = required;
    push(std::move(e));
    if (!PQsendQueryParams(conn_, sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0))
        return close(PQerrorMessage(conn_));
    sync_and_flush();
}

void connection::send_rows(const statement& s, const parameters& values, row_sink& to) {
    if (phase_ != phase::ready)
        throw connection_lost("the connection to PostgreSQL was lost", {}, std::string(s.text()));
    if (simple_mode_ || load() > 0) refuse_stream(s.text());
    encoder& e = pool_.parameter_encoder();
    e.encode(values);
    in_flight entry;
    entry.to_sink = true;
    push(std::move(entry));
    sink_ = &to;
    if (!PQsendQueryParams(conn_, s.text().data(), e.count(), nullptr, e.values(), e.lengths(), e.formats(), 0) ||
        !PQsetSingleRowMode(conn_))
        return close(PQerrorMessage(conn_));
    sync_and_flush();
}

}  // namespace rondo::db::postgres
