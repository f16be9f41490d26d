// SPDX-License-Identifier: Apache-2.0
// pool: opening connections, reconnects, name resolution.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include <rondo/base/backoff.hpp>
#include <rondo/base/log.hpp>
#include <rondo/db/error.hpp>
#include <rondo/db/postgres/failure.hpp>
#include <rondo/db/postgres/open.hpp>
#include <rondo/db/postgres/pool.hpp>

namespace rondo::db::postgres {

using namespace std::chrono_literals;

namespace {

constexpr backoff reconnect{50ms, 2s};
constexpr auto addresses_hold = 30s;

}  // namespace

bool pool::any_ready() const noexcept {
    return std::ranges::any_of(connections_, [](const auto& c) { return c->state() == connection::phase::ready; });
}

std::unique_ptr<connection> pool::make_connection() { return std::make_unique<connection>(*this, loop_, ++ids_); }

void pool::grow(std::size_t wanted) noexcept {
    if (wanted == 0 || connections_.size() >= limits_.connections) return;
    if (loop_.now() < retry_at_) {
        if (!retry_timer_.armed()) loop_.timers().arm(retry_timer_, retry_at_);
        return;
    }
    const auto connecting = static_cast<std::size_t>(
        std::ranges::count_if(connections_, [](const auto& c) { return c->state() == connection::phase::connecting; }));
    // While the server is down, one attempt at a time.
    const std::size_t limit = failures_ > 0 ? 1 : wanted;
    try {
        for (std::size_t n = connecting; n < limit && connections_.size() < limits_.connections; ++n) {
            connections_.push_back(make_connection());
            start(*connections_.back());
        }
    } catch (const std::exception& e) {
        log::error(std::string("cannot open a database connection: ") + e.what());
    }
}

void pool::start(connection& c) {
    if (!needs_resolving(target_.parameters)) return start_with(c, target_.parameters);
    if (!addresses_.empty() && loop_.now() < addresses_until_) return start_with(c, addresses_);
    if (std::exchange(resolving_, true)) return;
    struct answer {
        std::optional<connect_parameters> found;
        std::string message;
    };
    auto outcome = std::make_shared<answer>();
    errands_.run([outcome, parameters = target_.parameters] { outcome->found = resolve(parameters, outcome->message); },
                 [this, outcome] { resolved(std::move(outcome->found), outcome->message); });
}

void pool::start_with(connection& c, const connect_parameters& to) {
    if (options_taken_) c.start(target_.with_options(to), true, limits_.connect_timeout);
    else c.start(to, false, limits_.connect_timeout);
}

bool pool::connects_otherwise(connection& c, const std::string& message) noexcept {
    if (!c.options_sent() || explain_connect_failure(message, {}).code != "08P01") return false;
    try {
        options_taken_ = false;
        start(c);
        return true;
    } catch (const std::exception& e) {
        log::error(std::string("cannot open a database connection: ") + e.what());
        return false;
    }
}

void pool::names_are_not_kept() noexcept {
    if (!std::exchange(names_kept_, false)) return;
    log::info("a pooler in front of PostgreSQL does not track prepared statements per client: no longer naming them");
}

void pool::resolved(std::optional<connect_parameters> found, const std::string& message) noexcept {
    resolving_ = false;
    if (found) {
        addresses_ = *std::move(found);
        addresses_until_ = loop_.now() + addresses_hold;
    }
    std::vector<connection*> waiting;
    for (const auto& c : connections_)
        if (c->unstarted()) waiting.push_back(c.get());
    for (const extra_one& e : extras_)
        if (e.made->unstarted()) waiting.push_back(e.made.get());
    for (connection* c : waiting) {
        if (message.empty() || !addresses_.empty()) start_with(*c, addresses_);
        else c->refuse(message);
    }
}

void pool::connected(connection& c) noexcept {
    if (std::exchange(failures_, 0) > 0 && down_since_ != instant::max()) log::info("reconnected to the database");
    down_since_ = instant::max();
    retry_at_ = {};
    for (extra_one& e : extras_) {
        if (e.made.get() != &c || !e.wanted_by) continue;
        c.lent = c.extra = true;
        std::exchange(e.wanted_by, nullptr)->grant(c);
    }
    if (!idle_timer_.armed()) close_idle();
    wake_up();
}

void pool::connect_failed(connection& c, const std::string& message) noexcept {
    const connect_failure reason = explain_connect_failure(target_.without_secret(message), target_.shown);
    const auto failure = std::make_exception_ptr(connection_lost(reason.sentence, reason.code));
    for (extra_one& e : extras_) {
        if (e.made.get() != &c) continue;
        if (e.wanted_by) std::exchange(e.wanted_by, nullptr)->fail(failure);
        return wake_up();
    }
    last_failure_ = reason.sentence;
    last_code_ = reason.code;
    ++failures_;
    retry_at_ = loop_.now() + reconnect.after(failures_);
    if (down_since_ == instant::max() && !any_ready()) {
        down_since_ = loop_.now();
        log::warning(reason.sentence);
    }
    borrowing_.for_each([&](borrower& b) {
        if (b.wanted != borrower::wish::probe) return;
        static_cast<list_node&>(b).unlink();
        --borrowing_count_;
        b.fail(failure);
    });
    const bool down_too_long = down_since_ != instant::max() && loop_.now() - down_since_ >= limits_.wait;
    if (!any_ready() && (reason.final || down_too_long)) fail_all(failure);
    wake_up();
}

void pool::cancel_served(std::uint64_t id) noexcept {
    for (const auto& c : connections_)
        if (c->id() == id) return c->cancel_served();
    for (const extra_one& e : extras_)
        if (e.made->id() == id) return e.made->cancel_served();
}

void pool::close_idle() noexcept {
    const instant since = loop_.now() - limits_.idle;
    for (const auto& c : connections_)
        if (c->idle() && !c->lent && c->idle_since() <= since) c->close("idle timeout");
    if (connections_.empty()) return;
    loop_.timers().arm(idle_timer_, loop_.now() + std::clamp<clock::duration>(limits_.idle / 4, 100ms, 30s));
}

void check_url(const std::string& url) { (void)parse_target(url); }

std::unique_ptr<driver> make_driver(const std::string& url, const options& limits) {
    return std::make_unique<pool>(parse_target(url), limits);
}

}  // namespace rondo::db::postgres
