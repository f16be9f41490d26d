// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/connection.hpp>

#include <libpq-fe.h>

#include <memory>

#include <fmt/format.h>
#include <poll.h>

#include <rondo/base/log.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/postgres/failure.hpp>
#include <rondo/db/postgres/pool.hpp>
#include <rondo/db/postgres/tls_input.hpp>

namespace rondo::db::postgres {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t rows_ahead = 128;
constexpr std::size_t messages_ahead = 1024;

void ignore_notice(void*, const PGresult*) {}

}  // namespace

connection::connection(pool& owner, event_loop& loop, std::uint64_t id)
    : pool_(owner),
      loop_(loop),
      id_(id),
      limit_(*this,
             [](timer& self) noexcept {
                 connection& c = static_cast<connection_timer&>(self).owner;
                 if (c.phase_ == phase::connecting) c.connect_failed("the server did not respond in time");
                 else c.close("a cancelled statement did not end");
             }),
      cancel_timer_(*this, [](timer& self) noexcept {
          connection& c = static_cast<connection_timer&>(self).owner;
          if (c.all_abandoned() && !c.cancelling_ && c.phase_ == phase::ready) c.request_cancel();
      }) {}

connection::~connection() {
    finish_libpq();
    if (granted_to) granted_to->revoke();
}

void connection::finish_libpq() noexcept {
    unwatch();
    if (conn_) PQfinish(std::exchange(conn_, nullptr));
}

// ---- connecting ----

void connection::start(const connect_parameters& parameters, bool with_options, clock::duration limit) {
    options_sent_ = with_options;
    std::vector<const char*> names;
    std::vector<const char*> values;
    for (const auto& [name, value] : parameters) {
        names.push_back(name.c_str());
        values.push_back(value.c_str());
    }
    names.push_back(nullptr);
    values.push_back(nullptr);
    loop_.timers().arm(limit_, from_now(limit));
    conn_ = PQconnectStartParams(names.data(), values.data(), 0);
    if (!conn_) return connect_failed("out of memory");
    if (PQstatus(conn_) == CONNECTION_BAD) return connect_failed(PQerrorMessage(conn_));
    PQsetErrorVerbosity(conn_, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(conn_, ignore_notice, nullptr);
    watch(POLLOUT);
}

void connection::go_on_connecting() noexcept {
    switch (PQconnectPoll(conn_)) {
        case PGRES_POLLING_READING: return watch(POLLIN);
        case PGRES_POLLING_WRITING: return watch(POLLOUT);
        case PGRES_POLLING_OK: return established();
        default: return connect_failed(PQerrorMessage(conn_));
    }
}

void connection::established() {
    limit_.disarm();
    PQsetErrorVerbosity(conn_, PQERRORS_DEFAULT);
    if (PQsetnonblocking(conn_, 1) != 0 || PQenterPipelineMode(conn_) != 1)
        return connect_failed(PQerrorMessage(conn_));
    phase_ = phase::ready;
    since_ = loop_.now();
    watch(POLLIN);
    if (!settings_arrived()) pin_settings();
    if (phase_ != phase::ready) return pool_.connect_failed(*this, "the connection was lost");
    pool_.connected(*this);
}

void connection::connect_failed(const std::string& message) noexcept {
    limit_.disarm();
    finish_libpq();
    if (pool_.connects_otherwise(*this, message)) return;
    phase_ = phase::closed;
    pool_.connect_failed(*this, message);
}

// A pooler may drop the startup options: check what the server reports.
bool connection::settings_arrived() const noexcept {
    if (!options_sent_) return false;
    return std::ranges::all_of(pinned_settings, [this](const pinned_setting& s) {
        const char* reported = PQparameterStatus(conn_, s.name);
        return !reported || pool_.leaves_alone(s.name) || reported == std::string_view(s.value) ||
               std::string_view(reported).starts_with(std::string(s.value) + ",");  // "ISO, MDY"
    });
}

void connection::pin_settings() noexcept {
    pinned_ = true;
    std::string sql = "select ";
    for (const pinned_setting& s : pinned_settings)
        if (!pool_.leaves_alone(s.name)) sql += fmt::format("set_config('{}', '{}', false), ", s.name, s.value);
    send_own(sql + "1", true);
}

// ---- reading and writing ----

void connection::watch(int events) noexcept {
    if (watching_ == events) return;
    unwatch();
    if (events == 0) return;
    try {
        loop_.io().poll(*this, PQsocket(conn_), events);
        watching_ = events;
    } catch (const std::exception& e) {
        if (phase_ == phase::connecting) connect_failed(e.what());
        else close(e.what());
    }
}

void connection::unwatch() noexcept {
    if (watching_ != 0) loop_.io().cancel(*this);
    watching_ = 0;
}

void connection::polled(int events) noexcept {
    watching_ = 0;
    if (phase_ == phase::connecting) return go_on_connecting();
    if (simple_) {
        if (waiting_io_) waiting_io_->wake();
        return;
    }
    if (events & ~POLLOUT) read();
    if (phase_ == phase::ready) flush();
}

void connection::read() noexcept {
    const bool there = take_input(conn_);
    if (there) take_results();
    if (phase_ != phase::ready) return;
    keep_messages();
    if (!there) close(PQerrorMessage(conn_));
}

// Read with next_notification().
void connection::keep_messages() noexcept {
    while (PGnotify* n = PQnotifies(conn_)) {
        if (extra) heard_.push_back({n->relname, n->extra});
        PQfreemem(n);
    }
}

void connection::flush() noexcept {
    const int left = PQflush(conn_);
    if (left < 0) return close(PQerrorMessage(conn_));
    watch((paused() ? 0 : POLLIN) | (left > 0 ? POLLOUT : 0));
}

bool connection::paused() const noexcept {
    return (sink_ && sink_->rows.size() >= rows_ahead) || heard_.size() >= messages_ahead;
}

void connection::read_on() noexcept {
    if (phase_ != phase::ready) return;
    take_results();
    if (phase_ == phase::ready) flush();
}

void connection::take_results() noexcept {
    int empty_results = 0;
    const instant start = since_;
    ended_ = 0;
    while (load() > 0 && phase_ == phase::ready && !paused() && !PQisBusy(conn_)) {
        result_ptr r(PQgetResult(conn_));
        if (r) {
            empty_results = 0;
            take(std::move(r));
        } else if (++empty_results > 2) {
            return close(PQstatus(conn_) == CONNECTION_BAD ? PQerrorMessage(conn_)
                                                           : "results do not match the statements sent");
        }
    }
    if (ended_ > 0) note_speed(start);
}

// Results arrive in batches: only the time of a whole batch is known.
void connection::note_speed(instant start) noexcept {
    if (ended_hash_ != 0) pool_.seen().add(ended_hash_, (loop_.now() - start) / static_cast<std::int64_t>(ended_));
}

void connection::take(result_ptr r) noexcept {
    in_flight& e = sent_[first_];
    switch (PQresultStatus(r.get())) {
        case PGRES_PIPELINE_SYNC: return finish();
        case PGRES_PIPELINE_ABORTED: e.prepare_failed = e.preparing; return;
        case PGRES_FATAL_ERROR:
            if (!e.failed) e.got = std::move(r);
            e.failed = true;
            return;
        case PGRES_SINGLE_TUPLE:
            if (!e.rows || !sink_) return;
            sink_->rows.push_back(std::move(r));
            if (sink_->waiting) sink_->waiting->wake();
            return;
        case PGRES_TUPLES_OK:
        case PGRES_COMMAND_OK:
        case PGRES_EMPTY_QUERY:
            if (!e.failed) e.got = std::move(r);
            return;
        default: return close("COPY is not a query; use copy_in() or copy_out()");
    }
}

void connection::finish() noexcept {
    in_flight e = std::move(sent_[first_]);
    if (++first_ == sent_.size()) {
        sent_.clear();
        first_ = 0;
    }
    since_ = loop_.now();
    ended_hash_ = ++ended_ == 1 || ended_hash_ == e.hash ? e.hash : 0;
    if (e.preparing || e.failed) ended_hash_ = 0;
    if (left_open(e)) return refuse_open(std::move(e));
    settle(std::move(e));
    if (phase_ != phase::ready) return;
    if (load() == 0) drained();
    else if (all_abandoned()) cancel_when_alone();
}

void connection::drained() noexcept {
    cancel_timer_.disarm();
    if (!returning_ && !cancelling_) limit_.disarm();
    if (returning_) recover();
    else pool_.wake_up();
}

// ---- closing ----

void connection::close(std::string_view why) noexcept {
    if (phase_ == phase::closed) return;
    const std::string reason(why);
    phase_ = phase::closed;
    limit_.disarm();
    cancel_timer_.disarm();
    std::vector<in_flight> lost = std::exchange(sent_, {});
    for (std::size_t i = std::exchange(first_, 0); i < lost.size(); ++i) {
        in_flight& e = lost[i];
        const std::exception_ptr failure =
            e.failed ? failure_of(e.got.get(), e.who ? e.who->sql().text() : std::string_view()) : nullptr;
        if (e.who) e.who->fail(failure ? failure : lost_with(e.who->sql().text(), reason));
        else if (e.rows && sink_) {
            sink_->ended = true;
            sink_->failure = failure ? failure : lost_with({}, reason);
            if (sink_->waiting) sink_->waiting->wake();
        }
    }
    sink_ = nullptr;
    abandoned_ = 0;
    finish_libpq();
    if (waiting_io_) waiting_io_->wake();
    if (std::exchange(returning_, false)) lent = false;
    pool_.wake_up();
}

// ---- direct use of libpq ----

pg_conn* connection::begin_simple(std::string_view sql) {
    require_free(sql);
    if (load() > 0)
        throw error("a script or a copy needs exclusive use of its connection: await the running statements first", {},
                    std::string(sql));
    if (phase_ != phase::ready || PQexitPipelineMode(conn_) != 1)
        throw connection_lost("the connection to PostgreSQL was lost");
    unwatch();
    simple_ = true;
    return conn_;
}

void connection::end_simple() noexcept {
    if (phase_ != phase::ready) return;
    simple_ = false;
    if (PQenterPipelineMode(conn_) != 1) return close(PQerrorMessage(conn_));
    since_ = loop_.now();
    watch(POLLIN);
}

connection::io_wait connection::io(int events) noexcept { return {*this, events}; }

connection::io_wait::io_wait(connection& c, int events) noexcept
    : waiter([](waiter& self) noexcept {
          auto& w = static_cast<io_wait&>(self);
          w.connection_.waiting_io_ = nullptr;
          w.connection_.unwatch();
      }),
      connection_(c),
      events_(events) {}

connection::io_wait::~io_wait() {
    if (connection_.waiting_io_ == this) connection_.waiting_io_ = nullptr;
}

bool connection::io_wait::enter() noexcept {
    connection_.waiting_io_ = this;
    if (connection_.phase_ == phase::ready) connection_.watch(events_);
    if (connection_.phase_ != phase::ready && waiting()) wake();
    return true;
}

}  // namespace rondo::db::postgres
