// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/connection.hpp>

#include <libpq-fe.h>

#include <memory>

#include <fmt/format.h>
#include <poll.h>

#include <rondo/base/log.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/postgres/consume_input.hpp>
#include <rondo/db/postgres/errors.hpp>
#include <rondo/db/postgres/pool.hpp>

namespace rondo::db::postgres {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_buffered_rows = 128;
constexpr std::size_t max_buffered_notifications = 1024;

void ignore_notice(void*, const PGresult*) {}

}  // namespace

connection::connection(pool& owner, event_loop& loop, std::uint64_t id)
    : pool_(owner),
      loop_(loop),
      id_(id),
      deadline_timer_(*this,
                      [](timer& self) noexcept {
                          connection& c = static_cast<connection_timer&>(self).owner;
                          if (c.phase_ == phase::connecting) c.fail_connect("the server did not respond in time");
                          else c.close("a cancelled statement did not end");
                      }),
      cancel_timer_(*this, [](timer& self) noexcept {
          connection& c = static_cast<connection_timer&>(self).owner;
          if (c.all_abandoned() && !c.cancelling_ && c.phase_ == phase::ready) c.request_cancel();
      }) {}

connection::~connection() {
    close_libpq();
    if (granted_to) granted_to->revoke();
}

void connection::close_libpq() noexcept {
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
    loop_.timers().arm(deadline_timer_, from_now(limit));
    conn_ = PQconnectStartParams(names.data(), values.data(), 0);
    if (!conn_) return fail_connect("out of memory");
    if (PQstatus(conn_) == CONNECTION_BAD) return fail_connect(PQerrorMessage(conn_));
    PQsetErrorVerbosity(conn_, PQERRORS_VERBOSE);
    PQsetNoticeReceiver(conn_, ignore_notice, nullptr);
    watch(POLLOUT);
}

void connection::poll_connect() noexcept {
    switch (PQconnectPoll(conn_)) {
        case PGRES_POLLING_READING: return watch(POLLIN);
        case PGRES_POLLING_WRITING: return watch(POLLOUT);
        case PGRES_POLLING_OK: return on_established();
        default: return fail_connect(PQerrorMessage(conn_));
    }
}

void connection::on_established() {
    deadline_timer_.disarm();
    PQsetErrorVerbosity(conn_, PQERRORS_DEFAULT);
    if (PQsetnonblocking(conn_, 1) != 0 || PQenterPipelineMode(conn_) != 1) return fail_connect(PQerrorMessage(conn_));
    phase_ = phase::ready;
    state_since_ = loop_.now();
    watch(POLLIN);
    if (!settings_applied()) pin_settings();
    if (phase_ != phase::ready) return pool_.on_connect_failed(*this, "the connection was lost");
    pool_.on_connected(*this);
}

void connection::fail_connect(const std::string& message) noexcept {
    deadline_timer_.disarm();
    close_libpq();
    if (pool_.retry_without_options(*this, message)) return;
    phase_ = phase::closed;
    pool_.on_connect_failed(*this, message);
}

// A pooler may drop the startup options: check what the server reports.
bool connection::settings_applied() const noexcept {
    if (!options_sent_) return false;
    return std::ranges::all_of(pinned_settings, [this](const pinned_setting& s) {
        const char* reported = PQparameterStatus(conn_, s.name);
        return !reported || pool_.is_set_by_user(s.name) || reported == std::string_view(s.value) ||
               std::string_view(reported).starts_with(std::string(s.value) + ",");  // "ISO, MDY"
    });
}

void connection::pin_settings() noexcept {
    pinned_ = true;
    std::string sql = "select ";
    for (const pinned_setting& s : pinned_settings)
        if (!pool_.is_set_by_user(s.name)) sql += fmt::format("set_config('{}', '{}', false), ", s.name, s.value);
    send_internal(sql + "1", true);
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
        if (phase_ == phase::connecting) fail_connect(e.what());
        else close(e.what());
    }
}

void connection::unwatch() noexcept {
    if (watching_ != 0) loop_.io().cancel(*this);
    watching_ = 0;
}

void connection::polled(int events) noexcept {
    watching_ = 0;
    if (phase_ == phase::connecting) return poll_connect();
    if (simple_mode_) {
        if (io_waiter_) io_waiter_->wake();
        return;
    }
    if (events & ~POLLOUT) read();
    if (phase_ == phase::ready) flush();
}

void connection::read() noexcept {
    const bool connected = consume_input(conn_);
    if (connected) process_results();
    if (phase_ != phase::ready) return;
    collect_notifications();
    if (!connected) close(PQerrorMessage(conn_));
}

// Read with next_notification().
void connection::collect_notifications() noexcept {
    while (PGnotify* n = PQnotifies(conn_)) {
        if (dedicated) notifications_.push_back({n->relname, n->extra});
        PQfreemem(n);
    }
}

void connection::flush() noexcept {
    const int unsent = PQflush(conn_);
    if (unsent < 0) return close(PQerrorMessage(conn_));
    watch((is_paused() ? 0 : POLLIN) | (unsent > 0 ? POLLOUT : 0));
}

bool connection::is_paused() const noexcept {
    return (sink_ && sink_->rows.size() >= max_buffered_rows) || notifications_.size() >= max_buffered_notifications;
}

void connection::resume_reading() noexcept {
    if (phase_ != phase::ready) return;
    process_results();
    if (phase_ == phase::ready) flush();
}

void connection::process_results() noexcept {
    int empty_results = 0;
    const instant start = state_since_;
    completed_count_ = 0;
    while (load() > 0 && phase_ == phase::ready && !is_paused() && !PQisBusy(conn_)) {
        result_ptr r(PQgetResult(conn_));
        if (r) {
            empty_results = 0;
            on_result(std::move(r));
        } else if (++empty_results > 2) {
            return close(PQstatus(conn_) == CONNECTION_BAD ? PQerrorMessage(conn_)
                                                           : "results do not match the statements sent");
        }
    }
    if (completed_count_ > 0) record_latency(start);
}

// Results arrive in batches: only the time of a whole batch is known.
void connection::record_latency(instant start) noexcept {
    if (completed_hash_ != 0)
        pool_.latencies().record(completed_hash_, (loop_.now() - start) / static_cast<std::int64_t>(completed_count_));
}

void connection::on_result(result_ptr r) noexcept {
    in_flight& e = in_flight_[first_in_flight_];
    switch (PQresultStatus(r.get())) {
        case PGRES_PIPELINE_SYNC: return on_sync();
        case PGRES_PIPELINE_ABORTED: e.prepare_failed = e.preparing; return;
        case PGRES_FATAL_ERROR:
            if (!e.failed) e.result = std::move(r);
            e.failed = true;
            return;
        case PGRES_SINGLE_TUPLE:
            if (!e.to_sink || !sink_) return;
            sink_->rows.push_back(std::move(r));
            if (sink_->reader) sink_->reader->wake();
            return;
        case PGRES_TUPLES_OK:
        case PGRES_COMMAND_OK:
        case PGRES_EMPTY_QUERY:
            if (!e.failed) e.result = std::move(r);
            return;
        default: return close("COPY is not a query; use copy_in() or copy_out()");
    }
}

void connection::on_sync() noexcept {
    in_flight e = std::move(in_flight_[first_in_flight_]);
    if (++first_in_flight_ == in_flight_.size()) {
        in_flight_.clear();
        first_in_flight_ = 0;
    }
    state_since_ = loop_.now();
    completed_hash_ = ++completed_count_ == 1 || completed_hash_ == e.hash ? e.hash : 0;
    if (e.preparing || e.failed) completed_hash_ = 0;
    if (left_transaction_open(e)) return fail_open_transaction(std::move(e));
    complete(std::move(e));
    if (phase_ != phase::ready) return;
    if (load() == 0) on_drained();
    else if (all_abandoned()) cancel_if_all_abandoned();
}

void connection::on_drained() noexcept {
    cancel_timer_.disarm();
    if (!releasing_ && !cancelling_) deadline_timer_.disarm();
    if (releasing_) clean_up();
    else pool_.schedule_work();
}

// ---- closing ----

void connection::close(std::string_view why) noexcept {
    if (phase_ == phase::closed) return;
    const std::string reason(why);
    phase_ = phase::closed;
    deadline_timer_.disarm();
    cancel_timer_.disarm();
    std::vector<in_flight> lost = std::exchange(in_flight_, {});
    for (std::size_t i = std::exchange(first_in_flight_, 0); i < lost.size(); ++i) {
        in_flight& e = lost[i];
        const std::exception_ptr failure =
            e.failed ? make_error(e.result.get(), e.query ? e.query->sql().text() : std::string_view()) : nullptr;
        if (e.query) e.query->fail(failure ? failure : make_connection_lost(e.query->sql().text(), reason));
        else if (e.to_sink && sink_) {
            sink_->ended = true;
            sink_->failure = failure ? failure : make_connection_lost({}, reason);
            if (sink_->reader) sink_->reader->wake();
        }
    }
    sink_ = nullptr;
    abandoned_ = 0;
    close_libpq();
    if (io_waiter_) io_waiter_->wake();
    if (std::exchange(releasing_, false)) leased = false;
    pool_.schedule_work();
}

// ---- direct use of libpq ----

pg_conn* connection::enter_simple_mode(std::string_view sql) {
    require_not_exclusive(sql);
    if (load() > 0)
        throw error("a script or a copy needs exclusive use of its connection: await the running statements first", {},
                    std::string(sql));
    if (phase_ != phase::ready || PQexitPipelineMode(conn_) != 1)
        throw connection_lost("the connection to PostgreSQL was lost");
    unwatch();
    simple_mode_ = true;
    return conn_;
}

void connection::exit_simple_mode() noexcept {
    if (phase_ != phase::ready) return;
    simple_mode_ = false;
    if (PQenterPipelineMode(conn_) != 1) return close(PQerrorMessage(conn_));
    state_since_ = loop_.now();
    watch(POLLIN);
}

connection::io_wait connection::wait_io(int events) noexcept { return {*this, events}; }

connection::io_wait::io_wait(connection& c, int events) noexcept
    : waiter([](waiter& self) noexcept {
          auto& w = static_cast<io_wait&>(self);
          w.connection_.io_waiter_ = nullptr;
          w.connection_.unwatch();
      }),
      connection_(c),
      events_(events) {}

connection::io_wait::~io_wait() {
    if (connection_.io_waiter_ == this) connection_.io_waiter_ = nullptr;
}

bool connection::io_wait::start() noexcept {
    connection_.io_waiter_ = this;
    if (connection_.phase_ == phase::ready) connection_.watch(events_);
    if (connection_.phase_ != phase::ready && is_waiting()) wake();
    return true;
}

}  // namespace rondo::db::postgres
