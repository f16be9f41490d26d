// SPDX-License-Identifier: Apache-2.0
#include <rondo/server/server.hpp>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/http/date.hpp>
#include <rondo/loop/timeout.hpp>
#include <rondo/server/listener.hpp>

namespace rondo::server {

using namespace std::chrono_literals;

namespace {
constexpr auto look_interval = 500ms;
}

server::server(event_loop& loop, handler::application& app, const options& settings, stats::statistics* counted_in)
    : loop_(loop),
      app_(app),
      options_(settings),
      output_(loop),
      statistics_(counted_in ? *counted_in : *own_statistics_.emplace()),
      counter_(statistics_),
      empty_(true),
      fields_(settings.head.fields),
      look_(*this),
      looked_(loop.now()),
      requests_then_(statistics_.requests.load(std::memory_order_relaxed)),
      stalls_before_(statistics_.stalls.load(std::memory_order_relaxed)),
      behind_proxies_(!settings.forwarded_allow.empty()) {
    date_[0] = 0;
    if (!counted_in) statistics_.begin(getpid());
    app_.count_in(statistics_);
    statistics_.state.store(stats::worker_state::serving, std::memory_order_relaxed);
    loop_.timers().arm(look_, loop_.now() + look_interval);
}

server::look_timer::look_timer(server& s) noexcept
    : timer([](timer& self) noexcept { static_cast<look_timer&>(self).owner_.look(); }), owner_(s) {}

void server::look() noexcept {
    instant now = clock::now();
    look_at_loop(now);
    look_at_pools();
    if (at_each_look_) at_each_look_(statistics_);
    if (share_) share_->publish_views(now);
    for (auto& l : listeners_) l->look();
    looked_ = now;
    loop_.timers().arm(look_, now + look_interval);
}

void server::look_at_loop(instant now) noexcept {
    stats::statistics& s = statistics_;
    loop_counters& loop = loop_.counters();
    auto delay = std::chrono::nanoseconds(now - look_.due()).count();
    set_to(s.looked_ns, now.time_since_epoch().count());
    set_to(s.loop_delay_ns, delay);
    stats::latency::count(s.loop_delay, delay);
    set_to(s.busy_ns, loop.busy_ns.load(std::memory_order_relaxed));
    set_to(s.longest_turn_ns, loop.longest_turn_ns.exchange(0, std::memory_order_relaxed));
    set_to(s.stalls, stalls_before_ + loop.stalls.load(std::memory_order_relaxed));
    auto requests = s.requests.load(std::memory_order_relaxed);
    auto ms = std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::milliseconds>(now - looked_).count());
    counter_.adapt((requests - requests_then_) * 1000 / static_cast<std::uint64_t>(ms),
                   s.longest_turn_ns.load(std::memory_order_relaxed) > s.stall_ns.load(std::memory_order_relaxed));
    requests_then_ = requests;
}

void server::look_at_pools() noexcept {
    std::uint64_t threads = 0;
    for (std::size_t i = 0; i < pools_.size(); ++i) {
        const thread_pool* p = pools_[i];
        if (!p) continue;
        stats::pool_figures& f = i == 0 ? statistics_.blocking : statistics_.compute;
        set_to(f.threads, p->threads());
        set_to(f.most, p->options().threads);
        set_to(f.running, p->running());
        set_to(f.waiting, p->waiting());
        threads += p->threads();
    }
    set_to(statistics_.pool_threads, threads);
}

server::~server() {
    listeners_.clear();
    for_each([](connection& c) { c.kill(); });
    // Views that did not return are destroyed at their suspension point.
    while (!list_.empty()) gone(static_cast<connection&>(list_.front()));
    loop_.run_deferred();
    statistics_.state.store(stats::worker_state::ended, std::memory_order_relaxed);
}

void server::accept_from(net::listening_socket socket) {
    listeners_.push_back(std::make_unique<listener>(*this, std::move(socket)));
}

void server::called() noexcept {
    for (auto& l : listeners_) l->called();
}

void server::adopt(unique_fd socket) noexcept {
    // An immediate close is clearer to the client than a connection that is never served.
    if (options_.max_connections && count_ >= options_.max_connections) return;
    try {
        auto* c = new connection(*this, std::move(socket));
        list_.push_back(*c);
        ++count_;
        if (share_) share_->publish(count_);
        empty_.reset();
        add_to(statistics_.accepted, 1);
        add_to(statistics_.connections, 1);
        c->start();
        if (draining_) c->drain(true);
    } catch (const std::exception& e) {
        log::warning(fmt::format("cannot accept a connection: {}", e.what()));
    }
}

void server::gone(connection& c) noexcept {
    if (gone_.empty()) loop_.defer(*this);
    c.connection_entry::unlink();
    gone_.push_back(c);
    --count_;
    if (share_) share_->publish(count_);
    add_to(statistics_.connections, -1);
    if (count_ == 0) empty_.set();
}

void server::run_on_loop() noexcept {
    while (!gone_.empty()) delete &static_cast<connection&>(gone_.pop_front());
    if (share_)
        for (auto& l : listeners_) l->has_room();
}

void server::refresh_date() noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    http::write_date(date_, now.tv_sec);
    date_until_ = loop_.now() + std::chrono::nanoseconds(1'000'000'000 - now.tv_nsec);
}

task<bool> server::wait_until_empty(clock::duration limit) {
    struct wait {
        static task<void> for_event(event& e) { co_await e.wait(); }
    };
    if (count_ == 0) co_return true;
    try {
        co_await with_timeout(limit, wait::for_event(empty_));
    } catch (const timed_out&) {
    }
    co_return count_ == 0;
}

void server::cut_off() noexcept {
    for_each([](connection& c) { c.kill(); });
}

void server::stop_accepting() noexcept {
    draining_ = true;
    statistics_.state.store(stats::worker_state::draining, std::memory_order_relaxed);
    for (auto& l : listeners_) l->stop();
    listeners_.clear();
}

task<void> server::drain(clock::duration grace) {
    stop_accepting();
    drain_begun_.set();
    for_each([patient = grace > 0s](connection& c) { c.drain(patient); });
    log::info(fmt::format("drain: stopped accepting; {} connections close after their next response", count_));
    if (co_await wait_until_empty(grace)) co_return;
    log::warning(fmt::format("drain: grace period over; cancelling {} requests, {} connections open",
                             statistics_.in_flight.load(std::memory_order_relaxed), count_));
    for_each([](connection& c) { c.cancel(cancel_reason::drain); });
    if (co_await wait_until_empty(1s)) co_return;
    log::warning(fmt::format("drain: closing {} remaining connections", count_));
    cut_off();
    (void)co_await wait_until_empty(100ms);
}

}  // namespace rondo::server
