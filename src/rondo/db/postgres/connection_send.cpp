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

bool connection::takes_more(instant now) const noexcept {
    using namespace std::chrono_literals;
    constexpr auto slow = 10ms;
    if (phase_ != phase::ready || lent || reserved || cancelling_) return false;
    return load() == 0 || (abandoned_ < load() && now - since_ < slow);
}

void connection::push(in_flight e) {
    if (load() == 0) since_ = loop_.now();
    if (first_ > 64) {
        sent_.erase(sent_.begin(), sent_.begin() + static_cast<std::ptrdiff_t>(first_));
        first_ = 0;
    }
    sent_.push_back(std::move(e));
}

// Prepares in the same batch if needed: that costs no round trip.
bool connection::send_prepared(const statement& s, in_flight& e) {
    const encoder& values = pool_.values();
    statement_cache::entry* known = statements_.find(s);
    if (!known) known = &statements_.add(s);
    e.hash = s.hash();
    e.serial = known->serial;
    e.generation = statements_.generation();
    if (!known->prepared) {
        known->prepared = e.preparing = true;
        if (!PQsendPrepare(conn_, known->name.c_str(), s.text().data(), 0, nullptr)) return false;
    }
    return PQsendQueryPrepared(conn_, known->name.c_str(), values.count(), values.values(), values.lengths(),
                               values.formats(), 0) == 1;
}

// Whether to prepare the statement under a name; makes room for it. DEALLOCATE fails in a failed transaction, so on a
// leased connection evicted names are only queued. A pooler that tracks names per client does not see DEALLOCATE and
// would reject a reused name: nothing is evicted there. Sending may close the connection.
bool connection::make_ready(const command& c) {
    const std::size_t limit = pool_.limits().statements;
    if (c.repeated || !pool_.keeps_names() || (lent && !direct_)) return false;
    bool room = statements_.find(c.sql()) || statements_.size() < limit;
    if (!room && !asked_for_server_) ask_for_server();
    else if (!room) room = direct_ && statements_.make_room(limit);
    if (!lent)
        for (const std::string& name : statements_.take_retired()) send_own("deallocate " + name);
    return room;
}

void connection::ask_for_server() noexcept {
    asked_for_server_ = true;
    send_own("select pg_backend_pid()");
    if (phase_ == phase::ready) sent_.back().asks = true;
}

void refuse_stream(std::string_view sql) {
    throw error("a stream needs exclusive use of its connection: await the running statements first", {},
                std::string(sql));
}

void connection::require_free(std::string_view sql) const {
    if (sink_) throw error("the connection is used by a stream: read all of its rows first", {}, std::string(sql));
    if (simple_) throw error("the connection is used by a script or a copy: await its end first", {}, std::string(sql));
}

void connection::send(command& c) {
    const std::string_view text = c.sql().text();
    require_free(text);
    encoder& values = pool_.values();
    values.encode(c.values());
    const bool named = phase_ == phase::ready && make_ready(c);
    if (phase_ != phase::ready) throw connection_lost("the connection to PostgreSQL was lost", {}, std::string(text));
    push({});
    in_flight& e = sent_.back();
    e.who = &c;
    c.on = this;
    c.where = command::place::connection;
    const bool sent_whole = named ? send_prepared(c.sql(), e)
                                  : PQsendQueryParams(conn_, text.data(), values.count(), nullptr, values.values(),
                                                      values.lengths(), values.formats(), 0) == 1;
    if (!sent_whole) return close(PQerrorMessage(conn_));
    sent();
}

// libpq sends at each Sync. Only the first statement of a turn is sent at once; the others are sent together at its
// end, so that the server wakes up once for all of them. TCP sockets only.
void connection::cork() noexcept {
    const instant now = loop_.now();
    if (std::exchange(sent_at_, now) != now || corked_) return;
    const int on = 1;
    if (setsockopt(PQsocket(conn_), IPPROTO_TCP, TCP_CORK, &on, sizeof on) != 0) return;
    corked_ = true;
    pool_.corked();
}

void connection::uncork() noexcept {
    if (!std::exchange(corked_, false) || !conn_) return;
    const int off = 0;
    setsockopt(PQsocket(conn_), IPPROTO_TCP, TCP_CORK, &off, sizeof off);
}

void connection::sent() noexcept {
    cork();
    if (!PQpipelineSync(conn_)) return close(PQerrorMessage(conn_));
    if (const int left = PQflush(conn_); left != 0) flush();
}

void connection::send_own(const std::string& sql, bool needed) noexcept {
    if (phase_ != phase::ready) return;
    in_flight e;
    e.ours = true;
    e.needed = needed;
    push(std::move(e));
    if (!PQsendQueryParams(conn_, sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0))
        return close(PQerrorMessage(conn_));
    sent();
}

void connection::send_rows(const statement& s, const parameters& values, row_sink& to) {
    if (phase_ != phase::ready)
        throw connection_lost("the connection to PostgreSQL was lost", {}, std::string(s.text()));
    if (simple_ || load() > 0) refuse_stream(s.text());
    encoder& e = pool_.values();
    e.encode(values);
    in_flight entry;
    entry.rows = true;
    push(std::move(entry));
    sink_ = &to;
    if (!PQsendQueryParams(conn_, s.text().data(), e.count(), nullptr, e.values(), e.lengths(), e.formats(), 0) ||
        !PQsetSingleRowMode(conn_))
        return close(PQerrorMessage(conn_));
    sent();
}

}  // namespace rondo::db::postgres
