// SPDX-License-Identifier: Apache-2.0
// The HTTP server: accepts connections on one event loop, serves an application and drains.
// Implemented in server.cpp and connection_proxied.cpp.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <rondo/base/intrusive_list.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/handler/application.hpp>
#include <rondo/http/h1/request_parser.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/net/listen.hpp>
#include <rondo/net/output_buffer.hpp>
#include <rondo/server/accept_balancer.hpp>
#include <rondo/server/connection.hpp>
#include <rondo/server/options.hpp>
#include <rondo/server/request_stats.hpp>
#include <rondo/stats/worker_stats.hpp>

namespace rondo::server {

/// Serves an application on one event loop: accepts, owns the connections and their time-outs, drains. Loop thread
/// only.
class server final : posted_task {
public:
    /// `app` and `shared_stats` must outlive the server. `shared_stats`: statistics in shared memory, already started;
    /// null: the server uses its own.
    server(event_loop& loop, handler::application& app, const options& settings = {},
           stats::worker_stats* shared_stats = nullptr);
    /// Closes all remaining connections immediately.
    ~server();
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    /// Balances connections with the other processes that accept from the same sockets. Call before accept_from().
    /// `views`: the pool that runs all requests, if there is one.
    void balance_with(const process::slot_table& slots, std::size_t own_slot,
                      const thread_pool* views = nullptr) noexcept {
        balancer_.emplace(slots, own_slot, views);
    }
    /// Call on SIGWINCH, which one of those processes sends to make another accept a pending connection.
    void on_wakeup() noexcept;
    /// Starts accepting connections.
    void accept_from(net::listening_socket socket);

    /// Accepts all pending connections, then closes the listeners. These connections serve one request each.
    void stop_accepting() noexcept;
    /// Shuts down in steps: stop_accepting(); closes idle connections; waits up to `grace` for requests in flight, then
    /// cancels them; closes the remaining connections a second later.
    [[nodiscard]] task<void> drain(clock::duration grace);
    /// Closes every connection immediately.
    void close_all_now() noexcept;
    /// For the child of a fork that does not serve: closes its copies of the sockets, without effect on the parent and
    /// without using the loop. Call once; afterwards this object can neither be used nor destroyed.
    void abandon_after_fork() noexcept;

    /// Includes these pools in the statistics. They must outlive the server.
    void watch_pools(const thread_pool& blocking, const thread_pool& compute) noexcept {
        pools_ = {&blocking, &compute};
    }

    /// Sets a function that is called twice a second, to add statistics kept elsewhere.
    void on_sample(std::function<void(stats::worker_stats&)> f) { on_sample_ = std::move(f); }

    [[nodiscard]] std::size_t connection_count() const noexcept { return connection_count_; }
    [[nodiscard]] stats::worker_stats& server_stats() noexcept { return stats_; }
    [[nodiscard]] event_loop& loop() noexcept { return loop_; }

private:
    friend class connection;
    friend class exchange;

    class listener;
    struct sample_timer : timer {
        explicit sample_timer(server& s) noexcept;
        server& owner_;
    };
    /// Twice a second: updates statistics that are sampled rather than counted.
    void sample() noexcept;
    void sample_loop(instant now) noexcept;
    void sample_pools() noexcept;

    void add_connection(unique_fd socket) noexcept;
    void remove(connection& c) noexcept;
    /// Counts a connection without a valid PROXY header; logs at most every ten seconds.
    void on_refused_proxy(std::string_view peer, std::string_view reason) noexcept;
    void run_on_loop() noexcept override;
    template <class F>
    void for_each(F f) {
        connections_.for_each([&f](connection_entry& e) { f(static_cast<connection&>(e)); });
    }
    /// The time-out of a request that has not been answered yet; max: none.
    [[nodiscard]] clock::duration request_limit() const noexcept {
        return options_.request_timeout.count() == 0 ? clock::duration::max() : options_.request_timeout;
    }
    [[nodiscard]] instant request_deadline(instant start) const noexcept {
        return options_.request_timeout.count() == 0 ? instant::max() : start + options_.request_timeout;
    }
    void refresh_date() noexcept;
    /// Value of the Date field, at most a second old.
    [[nodiscard]] std::string_view date() noexcept {
        if (loop_.now() >= date_until_) refresh_date();
        return {date_, sizeof date_};
    }
    [[nodiscard]] task<bool> wait_until_all_closed(clock::duration limit);

    event_loop& loop_;
    handler::application& app_;
    options options_;
    net::output_buffer output_;
    std::optional<stats::worker_stats_memory> own_stats_;
    stats::worker_stats& stats_;
    request_counter request_counter_;
    intrusive_list<connection_entry> connections_;
    intrusive_list<connection_entry> removed_;  // destroyed later, on an empty stack
    std::size_t connection_count_ = 0;
    event all_closed_;
    event drain_started_;
    std::optional<accept_balancer> balancer_;
    std::vector<std::unique_ptr<listener>> listeners_;
    std::vector<http::field_ref> fields_;  // scratch space of the head parser
    http::h1::request_head head_;
    std::array<const thread_pool*, 2> pools_{};
    std::function<void(stats::worker_stats&)> on_sample_;
    sample_timer sample_timer_;
    instant last_sample_;
    std::uint64_t requests_at_sample_;
    std::uint64_t previous_stalls_;  // counted by earlier workers
    instant next_proxy_log_{};       // next log line of on_refused_proxy()
    const bool behind_proxies_;      // forwarding header fields of some peers are trusted
    bool draining_ = false;
    instant date_until_{};
    char date_[29];
};

}  // namespace rondo::server
