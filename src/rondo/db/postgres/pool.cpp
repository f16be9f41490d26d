// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/pool.hpp>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/postgres/driver.hpp>
#include <rondo/db/postgres/errors.hpp>
#include <rondo/db/postgres/session.hpp>
#include <rondo/db/postgres/statement_effect.hpp>

namespace rondo::db::postgres {

using namespace std::chrono_literals;

pool::pool(connect_target to, const options& limits)
    : target_(std::move(to)),
      limits_(limits),
      loop_(event_loop::current()),
      blocking_calls_(loop_),
      deferred_work_(*this),
      wait_timer_(*this, [](timer& self) noexcept { static_cast<pool_timer&>(self).owner.fail_timed_out(); }),
      retry_timer_(*this, [](timer& self) noexcept { static_cast<pool_timer&>(self).owner.schedule_work(); }),
      idle_timer_(*this, [](timer& self) noexcept { static_cast<pool_timer&>(self).owner.close_idle(); }) {
    limits_.max_connections = std::max<std::size_t>(limits_.max_connections, 1);
    limits_.pipeline_depth = std::max<std::size_t>(limits_.pipeline_depth, 1);
    loop_.add(*this);
}

pool::~pool() {
    const auto failure = std::make_exception_ptr(connection_lost("the database object was closed"));
    fail_all(failure);
    for (auto& c : connections_) c->close("the database object was closed");
    for (auto& e : dedicated_connections_) {
        if (e.requester) e.requester->fail(failure);
        e.conn->close("the database object was closed");
    }
    while (!sessions_.empty()) static_cast<leased_session&>(sessions_.pop_front()).detach();
    loop_.run_deferred();
}

// ---- the driver ----

task<result> pool::query(statement s, parameters p) {
    const effect e = effect_of(s.text());
    refuse_on_shared(s, e);
    if (e == effect::configures || e == effect::opaque) {
        // On a connection that is reset afterwards.
        const std::unique_ptr<session> leased = co_await acquire(true);
        co_return co_await leased->query(s, std::move(p));
    }
    pending_query c(*this, s, p);
    result_ptr r = co_await c;
    co_return make_result(std::move(r));
}

task<std::unique_ptr<session>> pool::acquire(bool) {
    connection_waiter w(*this, connection_waiter::request_kind::pooled);
    connection* c = co_await w;
    co_return std::make_unique<leased_session>(*this, *c);
}

task<std::unique_ptr<session>> pool::acquire_dedicated() {
    connection_waiter w(*this, connection_waiter::request_kind::dedicated);
    connection* c = co_await w;
    co_return std::make_unique<leased_session>(*this, *c);
}

task<void> pool::open() {
    connection_waiter w(*this, connection_waiter::request_kind::probe);
    connection* c = co_await w;
    c->release();
}

database_stats pool::stats() const noexcept {
    database_stats s;
    for (const auto& c : connections_) {
        if (c->state() != connection::phase::ready) continue;
        ++s.connections;
        if (c->leased) ++s.leased;
        else if (c->is_idle()) ++s.idle;
        s.running += c->load();
    }
    s.waiting = queue_length_ + connection_waiter_count_;
    s.queries = queries_;
    s.waits = waits_;
    s.total_wait = total_wait_;
    return s;
}

// ---- statements ----

connection* pool::choose_connection(const statement& s) noexcept {
    if (const std::size_t count = latencies_.concurrency_for(s.hash())) return choose_among_first(count);
    connection* best = nullptr;
    const instant now = loop_.now();
    // From the end: the first connections are for fast statements.
    for (auto at = connections_.rbegin(); at != connections_.rend(); ++at) {
        connection* const c = at->get();
        if (!c->accepts_more(now) || c->load() >= limits_.pipeline_depth) continue;
        if (c->load() == 0) return c;
        if (!best || c->load() < best->load()) best = c;
    }
    return best;
}

// The least busy of the first `count` connections; null when all of them are full: the wait in the queue is short.
connection* pool::choose_among_first(std::size_t count) noexcept {
    connection* best = nullptr;
    const instant now = loop_.now();
    for (const auto& c : connections_) {
        if (!c->accepts_more(now)) continue;
        if (!best || c->load() < best->load()) best = c.get();
        if (best->load() == 0 || --count == 0) break;
    }
    return best && best->load() < limits_.pipeline_depth ? best : nullptr;
}

void pool::dispatch(pending_query& c, connection& to) noexcept {
    try {
        to.send(c);
    } catch (const std::exception&) {
        c.fail(std::current_exception());
    }
}

void pool::submit(pending_query& c, connection* to) {
    ++queries_;
    if (to) return dispatch(c, *to);
    if (queue_length_ == 0 && connection_waiter_count_ == 0) {
        if (connection* found = choose_connection(c.sql())) {
            const bool busy = found->load() > 0;
            dispatch(c, *found);
            if (busy) open_connections(1);
            return;
        }
    }
    if (queue_length_ + connection_waiter_count_ >= limits_.max_waiting)
        return c.fail(std::make_exception_ptr(
            pool_exhausted(fmt::format("database pool exhausted: {} statements waiting", limits_.max_waiting), 1s)));
    c.queued_at = loop_.now();
    c.state = pending_query::query_state::queued;
    queue_.push_back(c);
    ++queue_length_;
    arm_wait_timer();
    schedule_work();
}

// ---- the queues ----

void pool::schedule_work() noexcept {
    if (std::exchange(work_scheduled_, true)) return;
    loop_.defer(deferred_work_);
}

void pool::deferred_work::run_on_loop() noexcept {
    owner.work_scheduled_ = false;
    owner.serve_queues();
}

void pool::before_wait() noexcept {
    if (!std::exchange(corked_, false)) return;
    for (const auto& c : connections_) c->uncork();
    for (const dedicated_connection& e : dedicated_connections_) e.conn->uncork();
}

void pool::serve_queues() noexcept {
    remove_closed();
    for (bool served = true; served && (queue_length_ > 0 || connection_waiter_count_ > 0);) {
        const bool connection_waiter_first =
            connection_waiter_count_ > 0 &&
            (queue_length_ == 0 || connection_waiters_.front().queued_at <= queue_.front().queued_at);
        served = connection_waiter_first ? serve_connection_waiter() || serve_queue()
                                         : serve_queue() || serve_connection_waiter();
    }
    reserve_connections();
    open_connections(queue_length_ + connection_waiter_count_);
    arm_wait_timer();
}

void pool::remove_closed() noexcept {
    const auto is_removable = [](const connection& c) { return c.state() == connection::phase::closed && !c.leased; };
    std::erase_if(connections_, [&](const auto& c) { return is_removable(*c); });
    std::erase_if(dedicated_connections_, [&](const dedicated_connection& e) {
        if (e.requester || e.conn->leased) return false;
        return e.conn->state() != connection::phase::connecting;
    });
}

void pool::record_wait(instant t) noexcept {
    ++waits_;
    total_wait_ += loop_.now() - t;
}

bool pool::serve_queue() noexcept {
    if (queue_length_ == 0) return false;
    connection* to = choose_connection(queue_.front().sql());
    if (!to) return false;
    --queue_length_;
    record_wait(queue_.front().queued_at);
    dispatch(queue_.pop_front(), *to);
    return true;
}

connection* pool::find_idle() noexcept {
    for (const auto& c : connections_)
        if (c->is_idle() && !c->leased) return c.get();
    return nullptr;
}

bool pool::serve_connection_waiter() noexcept {
    if (connection_waiter_count_ == 0) return false;
    connection* c = find_idle();
    if (!c) return false;
    c->leased = true;
    c->reserved = false;
    --connection_waiter_count_;
    record_wait(connection_waiters_.front().queued_at);
    connection_waiters_.pop_front().grant(*c);
    return true;
}

// Busy connections, one per waiter, receive no new statements, so that they become idle.
void pool::reserve_connections() noexcept {
    std::size_t needed = connection_waiter_count_;
    for (const auto& c : connections_) {
        const bool available = c->state() == connection::phase::ready && !c->leased;
        c->reserved = available && needed > 0;
        if (c->reserved) --needed;
    }
}

void pool::enqueue(connection_waiter& w) {
    w.queued_at = loop_.now();
    if (w.requested == connection_waiter::request_kind::dedicated) {
        dedicated_connections_.push_back({make_connection(), &w});
        return start_connect(*dedicated_connections_.back().conn);
    }
    if (queue_length_ + connection_waiter_count_ >= limits_.max_waiting)
        return w.fail(std::make_exception_ptr(
            pool_exhausted(fmt::format("database pool exhausted: {} callers waiting", limits_.max_waiting), 1s)));
    connection_waiters_.push_back(w);
    ++connection_waiter_count_;
    arm_wait_timer();
    schedule_work();
}

void pool::abandon_dedicated(connection_waiter& w) noexcept {
    for (dedicated_connection& e : dedicated_connections_) {
        if (e.requester != &w) continue;
        e.requester = nullptr;
        e.conn->close("the wait for the connection was cancelled");
    }
}

void pool::arm_wait_timer() noexcept {
    instant oldest = instant::max();
    if (queue_length_ > 0) oldest = queue_.front().queued_at;
    if (connection_waiter_count_ > 0) oldest = std::min(oldest, connection_waiters_.front().queued_at);
    if (oldest == instant::max() || wait_timer_.is_armed()) return;
    loop_.timers().arm(wait_timer_, oldest + limits_.acquire_timeout);
}

std::exception_ptr pool::timeout_error() const {
    if (!has_ready_connection() && !last_failure_.empty())
        return std::make_exception_ptr(connection_lost(last_failure_, last_code_));
    return std::make_exception_ptr(pool_exhausted(
        fmt::format("no database connection became free within {} ms: all {} are busy; use more connections or shorter "
                    "transactions",
                    limits_.acquire_timeout.count(), limits_.max_connections),
        1s));
}

void pool::fail_timed_out() noexcept {
    const instant since = loop_.now() - limits_.acquire_timeout;
    const std::exception_ptr failure = timeout_error();
    while (queue_length_ > 0 && queue_.front().queued_at <= since) {
        --queue_length_;
        record_wait(queue_.front().queued_at);
        queue_.pop_front().fail(failure);
    }
    while (connection_waiter_count_ > 0 && connection_waiters_.front().queued_at <= since) {
        --connection_waiter_count_;
        record_wait(connection_waiters_.front().queued_at);
        connection_waiters_.pop_front().fail(failure);
    }
    arm_wait_timer();
}

void pool::fail_all(const std::exception_ptr& failure) noexcept {
    for (; queue_length_ > 0; --queue_length_) queue_.pop_front().fail(failure);
    for (; connection_waiter_count_ > 0; --connection_waiter_count_) connection_waiters_.pop_front().fail(failure);
}

void pool::register_session(leased_session& s) noexcept { sessions_.push_back(s); }

// ---- waiters for a connection ----

connection_waiter::connection_waiter(pool& p, request_kind kind) noexcept
    : waiter([](waiter& self) noexcept {
          auto& w = static_cast<connection_waiter&>(self);
          if (!std::exchange(w.queued_, false)) return;
          if (w.requested == request_kind::dedicated) w.pool_.abandon_dedicated(w);
          else w.pool_.remove_connection_waiter();
      }),
      requested(kind),
      pool_(p) {}

connection_waiter::~connection_waiter() {
    if (queued_) {
        if (requested == request_kind::dedicated) pool_.abandon_dedicated(*this);
        else pool_.remove_connection_waiter();
    }
    if (!granted_) return;
    granted_->granted_to = nullptr;
    granted_->release();
}

void connection_waiter::enqueue() {
    queued_ = true;
    pool_.enqueue(*this);
}

void connection_waiter::grant(connection& c) noexcept {
    queued_ = false;
    granted_ = &c;
    c.granted_to = this;
    wake();
}

void connection_waiter::revoke() noexcept {
    granted_ = nullptr;
    failure_ = std::make_exception_ptr(connection_lost("the database object was closed"));
}

void connection_waiter::fail(std::exception_ptr failure) noexcept {
    queued_ = false;
    failure_ = std::move(failure);
    wake();
}

connection* connection_waiter::await_resume() {
    check();
    if (failure_) std::rethrow_exception(failure_);
    granted_->granted_to = nullptr;
    return std::exchange(granted_, nullptr);
}

}  // namespace rondo::db::postgres
