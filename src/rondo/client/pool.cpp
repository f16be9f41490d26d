// SPDX-License-Identifier: Apache-2.0
#include <rondo/client/pool.hpp>

#include <algorithm>
#include <system_error>

#include <fmt/format.h>

#include <rondo/client/error.hpp>
#include <rondo/client/proxies.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/net/connect.hpp>

namespace rondo::detail {

// A reserved place for a connection; released unless the connection was opened.
class client_pool::connection_slot {
public:
    connection_slot(client_pool& pool, client_origin& o) noexcept : pool_(pool), origin_(&o) {}
    connection_slot(const connection_slot&) = delete;
    connection_slot& operator=(const connection_slot&) = delete;
    ~connection_slot() {
        if (origin_) pool_.release_slot(*origin_);
    }
    void commit() noexcept { origin_ = nullptr; }

private:
    client_pool& pool_;
    client_origin* origin_;
};

void client_stats::add(const client_stats& more) noexcept {
    requests += more.requests;
    opened += more.opened;
    refused += more.refused;
    waits += more.waits;
    waited_ns += more.waited_ns;
    open += more.open;
    idle += more.idle;
    waiting += more.waiting;
}

client_stats client_pool::stats() const noexcept {
    return {.requests = requests_,
            .opened = opened_,
            .refused = refused_,
            .waits = waits_,
            .waited_ns = waited_ns_,
            .open = open_,
            .idle = idle_,
            .waiting = waiting_};
}

client_pool::client_pool(event_loop& loop, const client_options& options, std::shared_ptr<const void> owner)
    : loop_(loop),
      owner_(std::move(owner)),
      options_(options),
      output_(loop),
      resolver_(loop),
      fields_(options.head.fields) {
    http_proxy_ = usable_proxy(options.proxies.http);
    https_proxy_ = usable_proxy(options.proxies.https);
    for (const auto& make : options.middleware) middleware_.push_back(make());
}

const http::url* client_pool::proxy_for(const http::url& to) const noexcept {
    const auto& proxy = to.is_secure() ? https_proxy_ : http_proxy_;
    if (!proxy || !to.unix_path.empty() || bypasses_proxy(options_.proxies, to)) return nullptr;
    return &*proxy;
}

void client_pool::require_usable_proxy(const http::url& to) const {
    const std::string& configured = to.is_secure() ? options_.proxies.https : options_.proxies.http;
    if (configured.empty() || (to.is_secure() ? https_proxy_ : http_proxy_)) return;
    if (!to.unix_path.empty() || bypasses_proxy(options_.proxies, to)) return;
    throw client_error(client_failure::connect, unusable_proxy_text(configured));
}

void client_pool::shut_down() noexcept {
    closing_ = true;
    for (auto& [key, o] : origins_) {
        while (!o->idle.empty()) destroy_later(static_cast<client_connection&>(o->idle.front()));
    }
    while (!busy_.empty()) destroy_later(static_cast<client_connection&>(busy_.front()));
    if (!std::exchange(deferred_, true)) loop_.defer(*this);
}

void client_pool::run_on_loop() noexcept {
    deferred_ = false;
    while (!closed_.empty()) delete &static_cast<client_connection&>(closed_.pop_front());
    if (closing_) delete this;
}

void client_pool::destroy_later(client_connection& c) noexcept {
    c.mark_busy();
    c.client_connection_entry::unlink();
    c.close();
    closed_.push_back(c);
    if (!std::exchange(deferred_, true)) loop_.defer(*this);
}

client_origin& client_pool::origin_of(const http::url& to) {
    const http::url* proxy = proxy_for(to);
    // A proxy accepts http requests to all hosts on one connection.
    const http::url& url = proxy && !to.is_secure() ? *proxy : to;
    std::string key = url.origin();
    if (proxy && to.is_secure()) key += " through " + proxy->origin();
    auto& entry = origins_[key];
    if (!entry) {
        entry = std::make_unique<client_origin>();
        entry->key = std::move(key);
        entry->url = url;
        if (proxy && to.is_secure()) entry->tunnel = *proxy;
    }
    return *entry;
}

void client_pool::erase_if_unused(client_origin& o) noexcept {
    if (o.open == 0 && o.waiters.empty() && !closing_) origins_.erase(o.key);
}

client_connection* client_pool::pop_idle(client_origin& o) noexcept {
    while (!o.idle.empty()) {
        auto& c = static_cast<client_connection&>(o.idle.back());
        if (c.is_reusable()) {
            c.client_connection_entry::unlink();
            c.mark_busy();
            --idle_;
            busy_.push_back(c);
            return &c;
        }
        remove(c);
        destroy_later(c);
    }
    return nullptr;
}

bool client_pool::try_reserve_slot(client_origin& o) noexcept {
    if (o.open >= options_.max_connections_per_origin) return false;
    if (open_ >= options_.max_connections) {
        client_connection* oldest = nullptr;
        for (auto& [key, other] : origins_) {
            if (other->idle.empty()) continue;
            auto& c = static_cast<client_connection&>(other->idle.front());
            if (!oldest || c.idle_until() < oldest->idle_until()) oldest = &c;
        }
        if (!oldest) return false;
        client_origin& other = oldest->origin();
        remove(*oldest);
        destroy_later(*oldest);
        if (&other != &o) erase_if_unused(other);
    }
    ++o.open;
    ++open_;
    return true;
}

void client_pool::remove(client_connection& c) noexcept {
    if (c.is_idle()) --idle_;
    --c.origin().open;
    --open_;
}

void client_pool::release(client_connection& c) noexcept {
    c.client_connection_entry::unlink();
    c.origin().idle.push_back(c);
    ++idle_;
    c.mark_idle(options_.idle_timeout);
    if (waiting_) serve_waiters();
}

void client_pool::retire(client_connection& c) noexcept {
    if (closing_) return;
    client_origin& o = c.origin();
    remove(c);
    destroy_later(c);
    if (waiting_) serve_waiters();
    erase_if_unused(o);
}

void client_pool::release_slot(client_origin& o) noexcept {
    --o.open;
    --open_;
    if (waiting_) serve_waiters();
    erase_if_unused(o);
}

void client_pool::close_all_idle(client_origin& o) noexcept {
    while (!o.idle.empty()) {
        auto& c = static_cast<client_connection&>(o.idle.front());
        remove(c);
        destroy_later(c);
    }
}

void client_pool::serve_waiters() noexcept {
    ready_queue::batch batch;
    while (waiting_) {
        client_connection_waiter* first = nullptr;
        for (auto& [key, o] : origins_) {
            if (o->waiters.empty()) continue;
            const bool has_room =
                o->open < options_.max_connections_per_origin && (open_ < options_.max_connections || idle_ > 0);
            if (o->idle.empty() && !has_room) continue;
            auto& w = static_cast<client_connection_waiter&>(o->waiters.front());
            if (!first || w.ticket_ < first->ticket_) first = &w;
        }
        if (!first) return;
        first->connection_ = pop_idle(first->origin_);
        if (!first->connection_ && !try_reserve_slot(first->origin_)) continue;
        first->granted_ = true;
        --waiting_;
        first->wake();
    }
}

task<client_pool::lease> client_pool::acquire(const http::url& to, const client_timeouts& timeouts, instant deadline,
                                              bool fresh) {
    require_usable_proxy(to);
    ++requests_;
    client_origin& o = origin_of(to);
    if (fresh) close_all_idle(o);
    client_connection* c = o.waiters.empty() ? pop_idle(o) : nullptr;
    if (!c && (!o.waiters.empty() || !try_reserve_slot(o))) {
        if (waiting_ >= options_.max_waiting) {
            ++refused_;
            erase_if_unused(o);
            throw client_error(client_failure::busy,
                               fmt::format("connection pool exhausted: {} calls waiting", options_.max_waiting));
        }
        client_connection_waiter wait(*this, o, std::min(deadline, from_now(timeouts.pool)));
        bool late = false;
        try {
            c = co_await wait;
        } catch (const timed_out&) {
            late = true;
        }
        if (late) {
            throw client_error(client_failure::timeout, fmt::format("timed out waiting for a connection: all {} in use",
                                                                    options_.max_connections_per_origin));
        }
    }
    if (c) co_return lease(*this, *c, true);
    connection_slot slot(*this, o);
    c = co_await open(o, std::min(deadline, from_now(timeouts.connect)));
    slot.commit();
    ++opened_;
    co_return lease(*this, *c, false);
}

client_connection_waiter::client_connection_waiter(client_pool& pool, client_origin& origin, instant deadline) noexcept
    : waiter([](waiter& self) noexcept {
          auto& w = static_cast<client_connection_waiter&>(self);
          --w.pool_.waiting_;
          w.pool_.erase_if_unused(w.origin_);
      }),
      timer(
          [](timer& self) noexcept {
              auto& w = static_cast<client_connection_waiter&>(self);
              if (!w.is_waiting()) return;
              w.timed_out_ = true;
              --w.pool_.waiting_;
              w.wake();
              w.pool_.erase_if_unused(w.origin_);
          },
          deadline),
      pool_(pool),
      origin_(origin) {}

bool client_connection_waiter::enter() noexcept {
    ticket_ = ++pool_.last_ticket_;
    waiting_since_ = clock::now();
    origin_.waiters.push_back(*this);
    ++pool_.waiting_;
    if (due() != instant::max()) pool_.loop_.timers().arm(*this, due());
    return true;
}

client_connection_waiter::~client_connection_waiter() {
    if (granted_) {
        release();
    } else if (is_waiting()) {
        stop_waiting();
        --pool_.waiting_;
        pool_.erase_if_unused(origin_);
    }
}

void client_connection_waiter::release() noexcept {
    if (connection_) pool_.release(*connection_);
    else pool_.release_slot(origin_);
}

client_connection* client_connection_waiter::await_resume() {
    disarm();
    ++pool_.waits_;
    pool_.waited_ns_ += static_cast<std::uint64_t>(std::chrono::nanoseconds(clock::now() - waiting_since_).count());
    check();
    if (timed_out_) throw timed_out();
    granted_ = false;
    return connection_;
}

}  // namespace rondo::detail
