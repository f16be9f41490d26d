// SPDX-License-Identifier: Apache-2.0
// pool: opening connections, reconnects, name resolution.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <rondo/base/backoff.hpp>
#include <rondo/base/log.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/postgres/driver.hpp>
#include <rondo/db/postgres/errors.hpp>
#include <rondo/db/postgres/pool.hpp>

namespace rondo::db::postgres {

using namespace std::chrono_literals;

namespace {

constexpr backoff reconnect{50ms, 2s};
constexpr auto address_cache_time = 30s;

}  // namespace

bool pool::has_ready_connection() const noexcept {
    return std::ranges::any_of(connections_, [](const auto& c) { return c->state() == connection::phase::ready; });
}

std::unique_ptr<connection> pool::make_connection() { return std::make_unique<connection>(*this, loop_, ++last_id_); }

void pool::open_connections(std::size_t needed) noexcept {
    if (needed == 0 || connections_.size() >= limits_.max_connections) return;
    if (loop_.now() < retry_at_) {
        if (!retry_timer_.is_armed()) loop_.timers().arm(retry_timer_, retry_at_);
        return;
    }
    const auto connecting = static_cast<std::size_t>(
        std::ranges::count_if(connections_, [](const auto& c) { return c->state() == connection::phase::connecting; }));
    // While the server is down, one attempt at a time.
    const std::size_t limit = connect_failures_ > 0 ? 1 : needed;
    try {
        for (std::size_t n = connecting; n < limit && connections_.size() < limits_.max_connections; ++n) {
            connections_.push_back(make_connection());
            start_connect(*connections_.back());
        }
    } catch (const std::exception& e) {
        log::error(std::string("cannot open a database connection: ") + e.what());
    }
}

void pool::start_connect(connection& c) {
    if (!needs_resolving(target_.parameters)) return start_connect_to(c, target_.parameters);
    if (!addresses_.empty() && loop_.now() < addresses_expire_at_) return start_connect_to(c, addresses_);
    if (std::exchange(resolving_, true)) return;
    struct resolution {
        std::optional<connect_parameters> addresses;
        std::string message;
    };
    auto outcome = std::make_shared<resolution>();
    blocking_calls_.run(
        [outcome, parameters = target_.parameters] {
            outcome->addresses = resolve_hosts(parameters, outcome->message);
        },
        [this, outcome] { on_resolved(std::move(outcome->addresses), outcome->message); });
}

void pool::start_connect_to(connection& c, const connect_parameters& to) {
    if (startup_options_accepted_) c.start(target_.with_options(to), true, limits_.connect_timeout);
    else c.start(to, false, limits_.connect_timeout);
}

bool pool::retry_without_options(connection& c, const std::string& message) noexcept {
    if (!c.options_sent() || explain_connect_failure(message, {}).code != "08P01") return false;
    try {
        startup_options_accepted_ = false;
        start_connect(c);
        return true;
    } catch (const std::exception& e) {
        log::error(std::string("cannot open a database connection: ") + e.what());
        return false;
    }
}

void pool::stop_naming_statements() noexcept {
    if (!std::exchange(named_statements_work_, false)) return;
    log::info("a pooler in front of PostgreSQL does not track prepared statements per client: no longer naming them");
}

void pool::on_resolved(std::optional<connect_parameters> found, const std::string& message) noexcept {
    resolving_ = false;
    if (found) {
        addresses_ = *std::move(found);
        addresses_expire_at_ = loop_.now() + address_cache_time;
    }
    std::vector<connection*> waiting;
    for (const auto& c : connections_)
        if (c->is_unstarted()) waiting.push_back(c.get());
    for (const dedicated_connection& e : dedicated_connections_)
        if (e.conn->is_unstarted()) waiting.push_back(e.conn.get());
    for (connection* c : waiting) {
        if (message.empty() || !addresses_.empty()) start_connect_to(*c, addresses_);
        else c->fail_start(message);
    }
}

void pool::on_connected(connection& c) noexcept {
    if (std::exchange(connect_failures_, 0) > 0 && down_since_ != instant::max())
        log::info("reconnected to the database");
    down_since_ = instant::max();
    retry_at_ = {};
    for (dedicated_connection& e : dedicated_connections_) {
        if (e.conn.get() != &c || !e.requester) continue;
        c.leased = c.dedicated = true;
        std::exchange(e.requester, nullptr)->grant(c);
    }
    if (!idle_timer_.is_armed()) close_idle();
    schedule_work();
}

void pool::on_connect_failed(connection& c, const std::string& message) noexcept {
    const connect_failure reason = explain_connect_failure(target_.redact(message), target_.display_url);
    const auto failure = std::make_exception_ptr(connection_lost(reason.message, reason.code));
    for (dedicated_connection& e : dedicated_connections_) {
        if (e.conn.get() != &c) continue;
        if (e.requester) std::exchange(e.requester, nullptr)->fail(failure);
        return schedule_work();
    }
    last_failure_ = reason.message;
    last_code_ = reason.code;
    ++connect_failures_;
    retry_at_ = loop_.now() + reconnect.after(connect_failures_);
    if (down_since_ == instant::max() && !has_ready_connection()) {
        down_since_ = loop_.now();
        log::warning(reason.message);
    }
    connection_waiters_.for_each([&](connection_waiter& w) {
        if (w.requested != connection_waiter::request_kind::probe) return;
        static_cast<list_node&>(w).unlink();
        --connection_waiter_count_;
        w.fail(failure);
    });
    const bool down_too_long = down_since_ != instant::max() && loop_.now() - down_since_ >= limits_.acquire_timeout;
    if (!has_ready_connection() && (reason.permanent || down_too_long)) fail_all(failure);
    schedule_work();
}

void pool::on_cancel_done(std::uint64_t id) noexcept {
    for (const auto& c : connections_)
        if (c->id() == id) return c->on_cancel_done();
    for (const dedicated_connection& e : dedicated_connections_)
        if (e.conn->id() == id) return e.conn->on_cancel_done();
}

void pool::close_idle() noexcept {
    const instant since = loop_.now() - limits_.idle_timeout;
    for (const auto& c : connections_)
        if (c->is_idle() && !c->leased && c->idle_since() <= since) c->close("idle timeout");
    if (connections_.empty()) return;
    loop_.timers().arm(idle_timer_, loop_.now() + std::clamp<clock::duration>(limits_.idle_timeout / 4, 100ms, 30s));
}

void check_url(const std::string& url) { (void)parse_target(url); }

std::unique_ptr<driver> make_driver(const std::string& url, const options& limits) {
    return std::make_unique<pool>(parse_target(url), limits);
}

}  // namespace rondo::db::postgres
