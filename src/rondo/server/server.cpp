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
constexpr auto sample_interval = 500ms;
}

server::server(event_loop& loop, handler::application& app, const options& settings, stats::worker_stats* shared_stats)
    : loop_(loop),
      app_(app),
      options_(settings),
      output_(loop),
      stats_(shared_stats ? *shared_stats : *own_stats_.emplace()),
      request_counter_(stats_),
      all_closed_(true),
      fields_(settings.head_limits.fields),
      sample_timer_(*this),
      last_sample_(loop.now()),
      requests_at_sample_(stats_.requests.load(std::memory_order_relaxed)),
      previous_stalls_(stats_.stalls.load(std::memory_order_relaxed)),
      behind_proxies_(!settings.forwarded_allow.empty()) {
    date_[0] = 0;
    if (!shared_stats) stats_.on_worker_start(getpid());
    app_.register_views(stats_);
    stats_.state.store(stats::worker_state::serving, std::memory_order_relaxed);
    loop_.timers().arm(sample_timer_, loop_.now() + sample_interval);
}

server::sample_timer::sample_timer(server& s) noexcept
    : timer([](timer& self) noexcept { static_cast<sample_timer&>(self).owner_.sample(); }), owner_(s) {}

void server::sample() noexcept {
    instant now = clock::now();
    sample_loop(now);
    sample_pools();
    if (on_sample_) on_sample_(stats_);
    if (balancer_) balancer_->publish_stall(now);
    for (auto& l : listeners_) l->on_sample();
    last_sample_ = now;
    loop_.timers().arm(sample_timer_, now + sample_interval);
}

void server::sample_loop(instant now) noexcept {
    stats::worker_stats& s = stats_;
    loop_counters& loop = loop_.counters();
    auto delay = std::chrono::nanoseconds(now - sample_timer_.due()).count();
    store_relaxed(s.sampled_ns, now.time_since_epoch().count());
    store_relaxed(s.loop_delay_ns, delay);
    stats::latency::record(s.loop_delay_histogram, delay);
    store_relaxed(s.busy_ns, loop.busy_ns.load(std::memory_order_relaxed));
    store_relaxed(s.max_turn_ns, loop.longest_turn_ns.exchange(0, std::memory_order_relaxed));
    store_relaxed(s.stalls, previous_stalls_ + loop.stalls.load(std::memory_order_relaxed));
    auto requests = s.requests.load(std::memory_order_relaxed);
    auto ms =
        std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::milliseconds>(now - last_sample_).count());
    request_counter_.adapt_sampling(
        (requests - requests_at_sample_) * 1000 / static_cast<std::uint64_t>(ms),
        s.max_turn_ns.load(std::memory_order_relaxed) > s.stall_ns.load(std::memory_order_relaxed));
    requests_at_sample_ = requests;
}

void server::sample_pools() noexcept {
    std::uint64_t threads = 0;
    for (std::size_t i = 0; i < pools_.size(); ++i) {
        const thread_pool* p = pools_[i];
        if (!p) continue;
        stats::pool_stats& f = i == 0 ? stats_.blocking_pool : stats_.compute_pool;
        store_relaxed(f.threads, p->threads());
        store_relaxed(f.max_threads, p->options().threads);
        store_relaxed(f.running, p->running());
        store_relaxed(f.waiting, p->waiting());
        threads += p->threads();
    }
    store_relaxed(stats_.pool_threads, threads);
}

server::~server() {
    listeners_.clear();
    for_each([](connection& c) { c.close_now(); });
    // Views that did not return are destroyed at their suspension point.
    while (!connections_.empty()) remove(static_cast<connection&>(connections_.front()));
    loop_.run_deferred();
    stats_.state.store(stats::worker_state::ended, std::memory_order_relaxed);
}

void server::accept_from(net::listening_socket socket) {
    listeners_.push_back(std::make_unique<listener>(*this, std::move(socket)));
}

void server::on_wakeup() noexcept {
    for (auto& l : listeners_) l->on_wakeup();
}

void server::add_connection(unique_fd socket) noexcept {
    // An immediate close is clearer to the client than a connection that is never served.
    if (options_.max_connections && connection_count_ >= options_.max_connections) return;
    try {
        auto* c = new connection(*this, std::move(socket));
        connections_.push_back(*c);
        ++connection_count_;
        if (balancer_) balancer_->publish_connections(connection_count_);
        all_closed_.reset();
        add_relaxed(stats_.accepted, 1);
        add_relaxed(stats_.connections, 1);
        c->start();
        if (draining_) c->drain(true);
    } catch (const std::exception& e) {
        log::warning(fmt::format("cannot accept a connection: {}", e.what()));
    }
}

void server::remove(connection& c) noexcept {
    if (removed_.empty()) loop_.defer(*this);
    c.connection_entry::unlink();
    removed_.push_back(c);
    --connection_count_;
    if (balancer_) balancer_->publish_connections(connection_count_);
    add_relaxed(stats_.connections, -1);
    if (connection_count_ == 0) all_closed_.set();
}

void server::run_on_loop() noexcept {
    while (!removed_.empty()) delete &static_cast<connection&>(removed_.pop_front());
    if (balancer_)
        for (auto& l : listeners_) l->on_connection_closed();
}

void server::refresh_date() noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    http::write_date(date_, now.tv_sec);
    date_until_ = loop_.now() + std::chrono::nanoseconds(1'000'000'000 - now.tv_nsec);
}

task<bool> server::wait_until_all_closed(clock::duration limit) {
    struct wait {
        static task<void> for_event(event& e) { co_await e.wait(); }
    };
    if (connection_count_ == 0) co_return true;
    try {
        co_await with_timeout(limit, wait::for_event(all_closed_));
    } catch (const timed_out&) {
    }
    co_return connection_count_ == 0;
}

void server::close_all_now() noexcept {
    for_each([](connection& c) { c.close_now(); });
}

void server::abandon_after_fork() noexcept {
    for_each([](connection& c) {
        if (c.is_open()) ::close(c.fd());
    });
    for (auto& l : listeners_) l->abandon();
}

void server::stop_accepting() noexcept {
    draining_ = true;
    stats_.state.store(stats::worker_state::draining, std::memory_order_relaxed);
    for (auto& l : listeners_) l->stop();
    listeners_.clear();
}

task<void> server::drain(clock::duration grace) {
    stop_accepting();
    drain_started_.set();
    for_each([patient = grace > 0s](connection& c) { c.drain(patient); });
    log::info(
        fmt::format("drain: stopped accepting; {} connections close after their next response", connection_count_));
    if (co_await wait_until_all_closed(grace)) co_return;
    log::warning(fmt::format("drain: grace period over; cancelling {} requests, {} connections open",
                             stats_.in_flight.load(std::memory_order_relaxed), connection_count_));
    for_each([](connection& c) { c.cancel(cancel_reason::drain); });
    if (co_await wait_until_all_closed(1s)) co_return;
    log::warning(fmt::format("drain: closing {} remaining connections", connection_count_));
    close_all_now();
    (void)co_await wait_until_all_closed(100ms);
}

}  // namespace rondo::server
