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
class client_pool::place {
public:
    place(client_pool& pool, client_origin& o) noexcept : pool_(pool), origin_(&o) {}
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place() {
        if (origin_) pool_.place_free(*origin_);
    }
    void taken() noexcept { origin_ = nullptr; }

private:
    client_pool& pool_;
    client_origin* origin_;
};

void client_counts::add(const client_counts& more) noexcept {
    requests += more.requests;
    opened += more.opened;
    refused += more.refused;
    waits += more.waits;
    waited_ns += more.waited_ns;
    open += more.open;
    idle += more.idle;
    waiting += more.waiting;
}

client_counts client_pool::count() const noexcept {
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
      keep_(std::move(owner)),
      options_(options),
      output_(loop),
      resolver_(loop),
      fields_(options.head.fields) {
    http_proxy_ = usable_proxy(options.proxies.http);
    https_proxy_ = usable_proxy(options.proxies.https);
    for (const auto& make : options.middleware) middleware_.push_back(make());
}

const http::url* client_pool::proxy_for(const http::url& to) const noexcept {
    const auto& proxy = to.secure() ? https_proxy_ : http_proxy_;
    if (!proxy || !to.unix_path.empty() || is_excepted(options_.proxies, to)) return nullptr;
    return &*proxy;
}

void client_pool::require_usable_proxy(const http::url& to) const {
    const std::string& configured = to.secure() ? options_.proxies.https : options_.proxies.http;
    if (configured.empty() || (to.secure() ? https_proxy_ : http_proxy_)) return;
    if (!to.unix_path.empty() || is_excepted(options_.proxies, to)) return;
    throw client_error(client_failure::connect, unusable_proxy_text(configured));
}

void client_pool::close_down() noexcept {
    closing_ = true;
    for (auto& [key, o] : origins_) {
        while (!o->idle.empty()) bury(static_cast<client_connection&>(o->idle.front()));
    }
    while (!busy_.empty()) bury(static_cast<client_connection&>(busy_.front()));
    if (!std::exchange(deferred_, true)) loop_.defer(*this);
}

void client_pool::run_on_loop() noexcept {
    deferred_ = false;
    while (!gone_.empty()) delete &static_cast<client_connection&>(gone_.pop_front());
    if (closing_) delete this;
}

void client_pool::bury(client_connection& c) noexcept {
    c.wake_up();
    c.client_connection_entry::unlink();
    c.close();
    gone_.push_back(c);
    if (!std::exchange(deferred_, true)) loop_.defer(*this);
}

client_origin& client_pool::origin_of(const http::url& to) {
    const http::url* proxy = proxy_for(to);
    // A proxy accepts http requests to all hosts on one connection.
    const http::url& url = proxy && !to.secure() ? *proxy : to;
    std::string key = url.origin();
    if (proxy && to.secure()) key += " through " + proxy->origin();
    auto& entry = origins_[key];
    if (!entry) {
        entry = std::make_unique<client_origin>();
        entry->key = std::move(key);
        entry->at = url;
        if (proxy && to.secure()) entry->tunnel = *proxy;
    }
    return *entry;
}

void client_pool::forget_if_unused(client_origin& o) noexcept {
    if (o.open == 0 && o.line.empty() && !closing_) origins_.erase(o.key);
}

client_connection* client_pool::take_idle(client_origin& o) noexcept {
    while (!o.idle.empty()) {
        auto& c = static_cast<client_connection&>(o.idle.back());
        if (c.is_sound()) {
            c.client_connection_entry::unlink();
            c.wake_up();
            --idle_;
            busy_.push_back(c);
            return &c;
        }
        remove(c);
        bury(c);
    }
    return nullptr;
}

bool client_pool::take_place(client_origin& o) noexcept {
    if (o.open >= options_.connections_per_origin) return false;
    if (open_ >= options_.connections) {
        client_connection* oldest = nullptr;
        for (auto& [key, other] : origins_) {
            if (other->idle.empty()) continue;
            auto& c = static_cast<client_connection&>(other->idle.front());
            if (!oldest || c.rests_until() < oldest->rests_until()) oldest = &c;
        }
        if (!oldest) return false;
        client_origin& other = oldest->origin();
        remove(*oldest);
        bury(*oldest);
        if (&other != &o) forget_if_unused(other);
    }
    ++o.open;
    ++open_;
    return true;
}

void client_pool::remove(client_connection& c) noexcept {
    if (c.resting()) --idle_;
    --c.origin().open;
    --open_;
}

void client_pool::release(client_connection& c) noexcept {
    c.client_connection_entry::unlink();
    c.origin().idle.push_back(c);
    ++idle_;
    c.rest(options_.idle_timeout);
    if (waiting_) serve_line();
}

void client_pool::retire(client_connection& c) noexcept {
    if (closing_) return;
    client_origin& o = c.origin();
    remove(c);
    bury(c);
    if (waiting_) serve_line();
    forget_if_unused(o);
}

void client_pool::place_free(client_origin& o) noexcept {
    --o.open;
    --open_;
    if (waiting_) serve_line();
    forget_if_unused(o);
}

void client_pool::close_all_idle(client_origin& o) noexcept {
    while (!o.idle.empty()) {
        auto& c = static_cast<client_connection&>(o.idle.front());
        remove(c);
        bury(c);
    }
}

void client_pool::serve_line() noexcept {
    ready_queue::batch batch;
    while (waiting_) {
        client_wait_for_connection* first = nullptr;
        for (auto& [key, o] : origins_) {
            if (o->line.empty()) continue;
            const bool room = o->open < options_.connections_per_origin && (open_ < options_.connections || idle_ > 0);
            if (o->idle.empty() && !room) continue;
            auto& w = static_cast<client_wait_for_connection&>(o->line.front());
            if (!first || w.ticket_ < first->ticket_) first = &w;
        }
        if (!first) return;
        first->connection_ = take_idle(first->origin_);
        if (!first->connection_ && !take_place(first->origin_)) continue;
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
    client_connection* c = o.line.empty() ? take_idle(o) : nullptr;
    if (!c && (!o.line.empty() || !take_place(o))) {
        if (waiting_ >= options_.waiting) {
            ++refused_;
            forget_if_unused(o);
            throw client_error(client_failure::busy,
                               fmt::format("connection pool exhausted: {} calls waiting", options_.waiting));
        }
        client_wait_for_connection wait(*this, o, std::min(deadline, from_now(timeouts.wait)));
        bool late = false;
        try {
            c = co_await wait;
        } catch (const timed_out&) {
            late = true;
        }
        if (late) {
            throw client_error(
                client_failure::time_out,
                fmt::format("timed out waiting for a connection: all {} in use", options_.connections_per_origin));
        }
    }
    if (c) co_return lease(*this, *c, true);
    place slot(*this, o);
    c = co_await open(o, std::min(deadline, from_now(timeouts.connect)));
    slot.taken();
    ++opened_;
    co_return lease(*this, *c, false);
}

client_wait_for_connection::client_wait_for_connection(client_pool& pool, client_origin& origin,
                                                       instant deadline) noexcept
    : waiter([](waiter& self) noexcept {
          auto& w = static_cast<client_wait_for_connection&>(self);
          --w.pool_.waiting_;
          w.pool_.forget_if_unused(w.origin_);
      }),
      timer(
          [](timer& self) noexcept {
              auto& w = static_cast<client_wait_for_connection&>(self);
              if (!w.waiting()) return;
              w.late_ = true;
              --w.pool_.waiting_;
              w.wake();
              w.pool_.forget_if_unused(w.origin_);
          },
          deadline),
      pool_(pool),
      origin_(origin) {}

bool client_wait_for_connection::enter() noexcept {
    ticket_ = ++pool_.tickets_;
    since_ = clock::now();
    origin_.line.push_back(*this);
    ++pool_.waiting_;
    if (due() != instant::max()) pool_.loop_.timers().arm(*this, due());
    return true;
}

client_wait_for_connection::~client_wait_for_connection() {
    if (granted_) {
        give_back();
    } else if (waiting()) {
        settle();
        --pool_.waiting_;
        pool_.forget_if_unused(origin_);
    }
}

void client_wait_for_connection::give_back() noexcept {
    if (connection_) pool_.release(*connection_);
    else pool_.place_free(origin_);
}

client_connection* client_wait_for_connection::await_resume() {
    disarm();
    ++pool_.waits_;
    pool_.waited_ns_ += static_cast<std::uint64_t>(std::chrono::nanoseconds(clock::now() - since_).count());
    check();
    if (late_) throw timed_out();
    granted_ = false;
    return connection_;
}

}  // namespace rondo::detail
