// SPDX-License-Identifier: Apache-2.0
// connection: cancellation, and reset when a session releases the connection.
#include <libpq-fe.h>

#include <memory>
#include <utility>

#include <rondo/base/log.hpp>
#include <rondo/db/postgres/connection.hpp>
#include <rondo/db/postgres/pool.hpp>

namespace rondo::db::postgres {

namespace {

using namespace std::chrono_literals;

// A statement that ends this soon is not worth a cancel request, which costs the server a process.
constexpr auto cancel_grace = 20ms;
constexpr auto cancel_retry_interval = 200ms;
constexpr auto release_timeout = 10s;

struct cancel_deleter {
    void operator()(PGcancel* c) const noexcept { PQfreeCancel(c); }
};

}  // namespace

void connection::abandon(pending_query& c) noexcept {
    for (std::size_t i = first_in_flight_; i < in_flight_.size(); ++i) {
        if (in_flight_[i].query != &c) continue;
        in_flight_[i].query = nullptr;
        ++abandoned_;
    }
    if (all_abandoned()) cancel_if_all_abandoned();
}

void connection::cancel_if_all_abandoned() noexcept {
    if (cancelling_ || cancel_timer_.is_armed() || !all_abandoned()) return;
    loop_.timers().arm(cancel_timer_, loop_.now() + cancel_grace);
}

void connection::request_cancel() noexcept {
    std::unique_ptr<PGcancel, cancel_deleter> key(PQgetCancel(conn_));
    if (!key) return;
    try {
        pool_.blocking().run(
            [key = std::move(key)] {
                char text[256];
                PQcancel(key.get(), text, sizeof text);
            },
            [&owner = pool_, id = id_] { owner.on_cancel_done(id); });
        cancelling_ = true;
        if (!deadline_timer_.is_armed()) loop_.timers().arm(deadline_timer_, loop_.now() + release_timeout);
    } catch (const std::exception& e) {
        log::warning(std::string("cannot cancel a statement: ") + e.what());
    }
}

void connection::on_cancel_done() noexcept {
    cancelling_ = false;
    if (phase_ != phase::ready) return;
    if (load() == 0) return on_drained();
    if (all_abandoned()) loop_.timers().arm(cancel_timer_, loop_.now() + cancel_retry_interval);
}

void connection::release() noexcept {
    if (phase_ != phase::ready) {
        leased = false;
        return pool_.schedule_work();
    }
    releasing_ = true;
    if (std::exchange(sink_, nullptr)) {
        for (std::size_t i = first_in_flight_; i < in_flight_.size(); ++i)
            if (std::exchange(in_flight_[i].to_sink, false)) ++abandoned_;
    }
    if (simple_mode_) {
        if (PQtransactionStatus(conn_) == PQTRANS_ACTIVE) request_cancel();
        return close("the connection was released during a copy or a script");
    }
    loop_.timers().arm(deadline_timer_, loop_.now() + release_timeout);
    clean_up();
    if (load() > 0) resume_reading();
}

void connection::clean_up() noexcept {
    if (load() > 0) return cancel_if_all_abandoned();
    if (cancelling_) return;
    switch (PQtransactionStatus(conn_)) {
        case PQTRANS_IDLE:
            if (reset_session()) return;
            deadline_timer_.disarm();
            releasing_ = leased = false;
            notifications_.clear();
            return pool_.schedule_work();
        case PQTRANS_INTRANS:
        case PQTRANS_INERROR: return send_internal("rollback", true);
        default: return close("the transaction is in an unknown state");
    }
}

// The next session must not see what this one changed. Our prepared statements stay, unless the program created names
// of its own.
bool connection::reset_session() noexcept {
    const session_changes changes = std::exchange(changes_, session_changes::none);
    if (changes != session_changes::none) {
        send_internal("set session authorization default", true);
        send_internal("reset all", true);
        if (pinned_) pin_settings();
    }
    if (changes >= session_changes::all)
        for (const char* sql : {"unlisten *", "close all", "discard temp", "select pg_advisory_unlock_all()"})
            send_internal(sql, true);
    if (changes == session_changes::prepared) {
        send_internal("deallocate all", true);
        statements_.clear();
    }
    for (const std::string& name : statements_.take_retired()) send_internal("deallocate " + name);
    return load() > 0 || phase_ != phase::ready;
}

}  // namespace rondo::db::postgres
