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
constexpr auto cancel_again = 200ms;
constexpr auto return_limit = 10s;

struct cancel_deleter {
    void operator()(PGcancel* c) const noexcept { PQfreeCancel(c); }
};

}  // namespace

void connection::abandon(command& c) noexcept {
    for (std::size_t i = first_; i < sent_.size(); ++i) {
        if (sent_[i].who != &c) continue;
        sent_[i].who = nullptr;
        ++abandoned_;
    }
    if (all_abandoned()) cancel_when_alone();
}

void connection::cancel_when_alone() noexcept {
    if (cancelling_ || cancel_timer_.armed() || !all_abandoned()) return;
    loop_.timers().arm(cancel_timer_, loop_.now() + cancel_grace);
}

void connection::request_cancel() noexcept {
    std::unique_ptr<PGcancel, cancel_deleter> key(PQgetCancel(conn_));
    if (!key) return;
    try {
        pool_.aside().run(
            [key = std::move(key)] {
                char text[256];
                PQcancel(key.get(), text, sizeof text);
            },
            [&owner = pool_, id = id_] { owner.cancel_served(id); });
        cancelling_ = true;
        if (!limit_.armed()) loop_.timers().arm(limit_, loop_.now() + return_limit);
    } catch (const std::exception& e) {
        log::warning(std::string("cannot cancel a statement: ") + e.what());
    }
}

void connection::cancel_served() noexcept {
    cancelling_ = false;
    if (phase_ != phase::ready) return;
    if (load() == 0) return drained();
    if (all_abandoned()) loop_.timers().arm(cancel_timer_, loop_.now() + cancel_again);
}

void connection::returned() noexcept {
    if (phase_ != phase::ready) {
        lent = false;
        return pool_.wake_up();
    }
    returning_ = true;
    if (std::exchange(sink_, nullptr)) {
        for (std::size_t i = first_; i < sent_.size(); ++i)
            if (std::exchange(sent_[i].rows, false)) ++abandoned_;
    }
    if (simple_) {
        if (PQtransactionStatus(conn_) == PQTRANS_ACTIVE) request_cancel();
        return close("the connection was released during a copy or a script");
    }
    loop_.timers().arm(limit_, loop_.now() + return_limit);
    recover();
    if (load() > 0) read_on();
}

void connection::recover() noexcept {
    if (load() > 0) return cancel_when_alone();
    if (cancelling_) return;
    switch (PQtransactionStatus(conn_)) {
        case PQTRANS_IDLE:
            if (set_back()) return;
            limit_.disarm();
            returning_ = lent = false;
            heard_.clear();
            return pool_.wake_up();
        case PQTRANS_INTRANS:
        case PQTRANS_INERROR: return send_own("rollback", true);
        default: return close("the transaction is in an unknown state");
    }
}

// The next session must not see what this one changed. Our prepared statements stay, unless the program created names
// of its own.
bool connection::set_back() noexcept {
    const traces changes = std::exchange(traces_, traces::none);
    if (changes != traces::none) {
        send_own("set session authorization default", true);
        send_own("reset all", true);
        if (pinned_) pin_settings();
    }
    if (changes >= traces::all)
        for (const char* sql : {"unlisten *", "close all", "discard temp", "select pg_advisory_unlock_all()"})
            send_own(sql, true);
    if (changes == traces::prepared) {
        send_own("deallocate all", true);
        statements_.clear();
    }
    for (const std::string& name : statements_.take_retired()) send_own("deallocate " + name);
    return load() > 0 || phase_ != phase::ready;
}

}  // namespace rondo::db::postgres
