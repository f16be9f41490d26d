// SPDX-License-Identifier: Apache-2.0
#include <rondo/db/postgres/pool.hpp>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <rondo/base/log.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/postgres/failure.hpp>
#include <rondo/db/postgres/open.hpp>
#include <rondo/db/postgres/session.hpp>
#include <rondo/db/postgres/statement_effect.hpp>

namespace rondo::db::postgres {

using namespace std::chrono_literals;

pool::pool(target to, const options& limits)
    : target_(std::move(to)),
      limits_(limits),
      loop_(event_loop::current()),
      errands_(loop_),
      later_(*this),
      wait_timer_(*this, [](timer& self) noexcept { static_cast<pool_timer&>(self).owner.fail_late(); }),
      retry_timer_(*this, [](timer& self) noexcept { static_cast<pool_timer&>(self).owner.wake_up(); }),
      idle_timer_(*this, [](timer& self) noexcept { static_cast<pool_timer&>(self).owner.close_idle(); }) {
    limits_.connections = std::max<std::size_t>(limits_.connections, 1);
    limits_.pipeline = std::max<std::size_t>(limits_.pipeline, 1);
    loop_.add(*this);
}

pool::~pool() {
    const auto failure = std::make_exception_ptr(connection_lost("the database object was closed"));
    fail_all(failure);
    for (auto& c : connections_) c->close("the database object was closed");
    for (auto& e : extras_) {
        if (e.wanted_by) e.wanted_by->fail(failure);
        e.made->close("the database object was closed");
    }
    while (!sessions_.empty()) static_cast<lent_session&>(sessions_.pop_front()).orphan();
    loop_.run_deferred();
}

// ---- the driver ----

task<result> pool::query(statement s, parameters p) {
    const effect e = effect_of(s.text());
    refuse_shared(s, e);
    if (e == effect::configures || e == effect::hidden) {
        // On a connection that is reset afterwards.
        const std::unique_ptr<session> leased = co_await lend(true);
        co_return co_await leased->query(s, std::move(p));
    }
    command c(*this, s, p);
    result_ptr r = co_await c;
    co_return rows_of(std::move(r));
}

task<std::unique_ptr<session>> pool::lend(bool) {
    borrower b(*this, borrower::wish::lend);
    connection* c = co_await b;
    co_return std::make_unique<lent_session>(*this, *c);
}

task<std::unique_ptr<session>> pool::extra() {
    borrower b(*this, borrower::wish::extra);
    connection* c = co_await b;
    co_return std::make_unique<lent_session>(*this, *c);
}

task<void> pool::open() {
    borrower b(*this, borrower::wish::probe);
    connection* c = co_await b;
    c->returned();
}

status pool::now() const noexcept {
    status s;
    for (const auto& c : connections_) {
        if (c->state() != connection::phase::ready) continue;
        ++s.connections;
        if (c->lent) ++s.lent;
        else if (c->idle()) ++s.idle;
        s.running += c->load();
    }
    s.waiting = waiting_ + borrowing_count_;
    s.queries = queries_;
    s.waits = waits_;
    s.waited = waited_;
    return s;
}

// ---- statements ----

connection* pool::choose(const statement& s) noexcept {
    if (const std::size_t count = speeds_.lanes(s.hash())) return choose_of_first(count);
    connection* best = nullptr;
    const instant now = loop_.now();
    // From the end: the first connections are for fast statements.
    for (auto at = connections_.rbegin(); at != connections_.rend(); ++at) {
        connection* const c = at->get();
        if (!c->takes_more(now) || c->load() >= limits_.pipeline) continue;
        if (c->load() == 0) return c;
        if (!best || c->load() < best->load()) best = c;
    }
    return best;
}

// The least busy of the first `count` connections; null when all of them are full: the wait in the queue is short.
connection* pool::choose_of_first(std::size_t count) noexcept {
    connection* best = nullptr;
    const instant now = loop_.now();
    for (const auto& c : connections_) {
        if (!c->takes_more(now)) continue;
        if (!best || c->load() < best->load()) best = c.get();
        if (best->load() == 0 || --count == 0) break;
    }
    return best && best->load() < limits_.pipeline ? best : nullptr;
}

void pool::give(command& c, connection& to) noexcept {
    try {
        to.send(c);
    } catch (const std::exception&) {
        c.fail(std::current_exception());
    }
}

void pool::submit(command& c, connection* to) {
    ++queries_;
    if (to) return give(c, *to);
    if (waiting_ == 0 && borrowing_count_ == 0) {
        if (connection* found = choose(c.sql())) {
            const bool busy = found->load() > 0;
            give(c, *found);
            if (busy) grow(1);
            return;
        }
    }
    if (waiting_ + borrowing_count_ >= limits_.waiting)
        return c.fail(std::make_exception_ptr(
            too_busy(fmt::format("database pool exhausted: {} statements waiting", limits_.waiting), 1s)));
    c.since = loop_.now();
    c.where = command::place::line;
    line_.push_back(c);
    ++waiting_;
    arm_wait_timer();
    wake_up();
}

// ---- the queues ----

void pool::wake_up() noexcept {
    if (std::exchange(later_asked_, true)) return;
    loop_.defer(later_);
}

void pool::later::run_on_loop() noexcept {
    owner.later_asked_ = false;
    owner.work();
}

void pool::before_wait() noexcept {
    if (!std::exchange(corked_, false)) return;
    for (const auto& c : connections_) c->uncork();
    for (const extra_one& e : extras_) e.made->uncork();
}

void pool::work() noexcept {
    tidy();
    for (bool served = true; served && (waiting_ > 0 || borrowing_count_ > 0);) {
        const bool connection_waiter_first =
            borrowing_count_ > 0 && (waiting_ == 0 || borrowing_.front().since <= line_.front().since);
        served = connection_waiter_first ? serve_borrower() || serve_line() : serve_line() || serve_borrower();
    }
    reserve();
    grow(waiting_ + borrowing_count_);
    arm_wait_timer();
}

void pool::tidy() noexcept {
    const auto is_removable = [](const connection& c) { return c.state() == connection::phase::closed && !c.lent; };
    std::erase_if(connections_, [&](const auto& c) { return is_removable(*c); });
    std::erase_if(extras_, [&](const extra_one& e) {
        if (e.wanted_by || e.made->lent) return false;
        return e.made->state() != connection::phase::connecting;
    });
}

void pool::waited_since(instant t) noexcept {
    ++waits_;
    waited_ += loop_.now() - t;
}

bool pool::serve_line() noexcept {
    if (waiting_ == 0) return false;
    connection* to = choose(line_.front().sql());
    if (!to) return false;
    --waiting_;
    waited_since(line_.front().since);
    give(line_.pop_front(), *to);
    return true;
}

connection* pool::find_idle() noexcept {
    for (const auto& c : connections_)
        if (c->idle() && !c->lent) return c.get();
    return nullptr;
}

bool pool::serve_borrower() noexcept {
    if (borrowing_count_ == 0) return false;
    connection* c = find_idle();
    if (!c) return false;
    c->lent = true;
    c->reserved = false;
    --borrowing_count_;
    waited_since(borrowing_.front().since);
    borrowing_.pop_front().grant(*c);
    return true;
}

// Busy connections, one per waiter, receive no new statements, so that they become idle.
void pool::reserve() noexcept {
    std::size_t wanted = borrowing_count_;
    for (const auto& c : connections_) {
        const bool available = c->state() == connection::phase::ready && !c->lent;
        c->reserved = available && wanted > 0;
        if (c->reserved) --wanted;
    }
}

void pool::wait_for(borrower& b) {
    b.since = loop_.now();
    if (b.wanted == borrower::wish::extra) {
        extras_.push_back({make_connection(), &b});
        return start(*extras_.back().made);
    }
    if (waiting_ + borrowing_count_ >= limits_.waiting)
        return b.fail(std::make_exception_ptr(
            too_busy(fmt::format("database pool exhausted: {} callers waiting", limits_.waiting), 1s)));
    borrowing_.push_back(b);
    ++borrowing_count_;
    arm_wait_timer();
    wake_up();
}

void pool::extra_left(borrower& b) noexcept {
    for (extra_one& e : extras_) {
        if (e.wanted_by != &b) continue;
        e.wanted_by = nullptr;
        e.made->close("the wait for the connection was cancelled");
    }
}

void pool::arm_wait_timer() noexcept {
    instant oldest = instant::max();
    if (waiting_ > 0) oldest = line_.front().since;
    if (borrowing_count_ > 0) oldest = std::min(oldest, borrowing_.front().since);
    if (oldest == instant::max() || wait_timer_.armed()) return;
    loop_.timers().arm(wait_timer_, oldest + limits_.wait);
}

std::exception_ptr pool::late() const {
    if (!any_ready() && !last_failure_.empty())
        return std::make_exception_ptr(connection_lost(last_failure_, last_code_));
    return std::make_exception_ptr(too_busy(
        fmt::format("no database connection became free within {} ms: all {} are busy; use more connections or shorter "
                    "transactions",
                    limits_.wait.count(), limits_.connections),
        1s));
}

void pool::fail_late() noexcept {
    const instant since = loop_.now() - limits_.wait;
    const std::exception_ptr failure = late();
    while (waiting_ > 0 && line_.front().since <= since) {
        --waiting_;
        waited_since(line_.front().since);
        line_.pop_front().fail(failure);
    }
    while (borrowing_count_ > 0 && borrowing_.front().since <= since) {
        --borrowing_count_;
        waited_since(borrowing_.front().since);
        borrowing_.pop_front().fail(failure);
    }
    arm_wait_timer();
}

void pool::fail_all(const std::exception_ptr& failure) noexcept {
    for (; waiting_ > 0; --waiting_) line_.pop_front().fail(failure);
    for (; borrowing_count_ > 0; --borrowing_count_) borrowing_.pop_front().fail(failure);
}

void pool::add(lent_session& s) noexcept { sessions_.push_back(s); }

// ---- waiters for a connection ----

borrower::borrower(pool& p, wish w) noexcept
    : waiter([](waiter& self) noexcept {
          auto& b = static_cast<borrower&>(self);
          if (!std::exchange(b.in_line_, false)) return;
          if (b.wanted == wish::extra) b.pool_.extra_left(b);
          else b.pool_.left_borrowing();
      }),
      wanted(w),
      pool_(p) {}

borrower::~borrower() {
    if (in_line_) {
        if (wanted == wish::extra) pool_.extra_left(*this);
        else pool_.left_borrowing();
    }
    if (!granted_) return;
    granted_->granted_to = nullptr;
    granted_->returned();
}

void borrower::enter() {
    in_line_ = true;
    pool_.wait_for(*this);
}

void borrower::grant(connection& c) noexcept {
    in_line_ = false;
    granted_ = &c;
    c.granted_to = this;
    wake();
}

void borrower::revoke() noexcept {
    granted_ = nullptr;
    failure_ = std::make_exception_ptr(connection_lost("the database object was closed"));
}

void borrower::fail(std::exception_ptr failure) noexcept {
    in_line_ = false;
    failure_ = std::move(failure);
    wake();
}

connection* borrower::await_resume() {
    check();
    if (failure_) std::rethrow_exception(failure_);
    granted_->granted_to = nullptr;
    return std::exchange(granted_, nullptr);
}

}  // namespace rondo::db::postgres
