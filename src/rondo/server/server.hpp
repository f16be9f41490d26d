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
#include <rondo/http/h1/parser.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/pool.hpp>
#include <rondo/net/address.hpp>
#include <rondo/net/output.hpp>
#include <rondo/server/accept_balancer.hpp>
#include <rondo/server/connection.hpp>
#include <rondo/server/options.hpp>
#include <rondo/server/request_counter.hpp>
#include <rondo/stats/worker_stats.hpp>

namespace rondo::server {

/// Serves an application on one event loop: accepts, owns the connections and their time-outs, drains. Loop thread
/// only.
class server final : posted {
public:
    /// `app` and `counted_in` must outlive the server. `counted_in`: shared statistics, already started; null: the
    /// server uses its own.
    server(event_loop& loop, handler::application& app, const options& settings = {},
           stats::statistics* counted_in = nullptr);
    /// Closes all remaining connections immediately.
    ~server();
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    /// Balances connections with the other processes that accept from the same sockets. Call before accept_from().
    /// `views`: the pool that runs all requests, if there is one.
    void share_with(const process::slot_table& all, std::size_t own, const thread_pool* views = nullptr) noexcept {
        share_.emplace(all, own, views);
    }
    /// Call on SIGWINCH, which one of those processes sends to make another accept a pending connection.
    void called() noexcept;
    /// Starts accepting connections.
    void accept_from(net::listening_socket socket);

    /// Accepts all pending connections, then closes the listeners. These connections serve one request each.
    void stop_accepting() noexcept;
    /// Shuts down in steps: stop_accepting(); closes idle connections; waits up to `grace` for requests in flight, then
    /// cancels them; closes the remaining connections a second later.
    [[nodiscard]] task<void> drain(clock::duration grace);
    /// Closes every connection immediately.
    void cut_off() noexcept;

    /// Includes these pools in the statistics. They must outlive the server.
    void watch(const thread_pool& blocking, const thread_pool& compute) noexcept { pools_ = {&blocking, &compute}; }

    /// Sets a function that is called twice a second, to add statistics kept elsewhere.
    void at_each_look(std::function<void(stats::statistics&)> f) { at_each_look_ = std::move(f); }

    [[nodiscard]] std::size_t connections() const noexcept { return count_; }
    [[nodiscard]] stats::statistics& statistics() noexcept { return statistics_; }
    [[nodiscard]] event_loop& loop() noexcept { return loop_; }

private:
    friend class connection;
    friend class exchange;

    class listener;
    struct look_timer : timer {
        explicit look_timer(server& s) noexcept;
        server& owner_;
    };
    /// Twice a second: updates statistics that are sampled rather than counted.
    void look() noexcept;
    void look_at_loop(instant now) noexcept;
    void look_at_pools() noexcept;

    void adopt(unique_fd socket) noexcept;
    void gone(connection& c) noexcept;
    /// Counts a connection without a valid PROXY header; logs at most every ten seconds.
    void refused_proxy(std::string_view peer, std::string_view why) noexcept;
    void run_on_loop() noexcept override;
    template <class F>
    void for_each(F f) {
        list_.for_each([&f](connection_entry& e) { f(static_cast<connection&>(e)); });
    }
    void refresh_date() noexcept;
    /// Value of the Date field, at most a second old.
    [[nodiscard]] std::string_view date() noexcept {
        if (loop_.now() >= date_until_) refresh_date();
        return {date_, sizeof date_};
    }
    [[nodiscard]] task<bool> wait_until_empty(clock::duration limit);

    event_loop& loop_;
    handler::application& app_;
    options options_;
    net::output output_;
    std::optional<stats::statistics_memory> own_statistics_;
    stats::statistics& statistics_;
    request_counter counter_;
    intrusive_list<connection_entry> list_;
    intrusive_list<connection_entry> gone_;  // destroyed later, on an empty stack
    std::size_t count_ = 0;
    event empty_;
    event drain_begun_;
    std::optional<share> share_;
    std::vector<std::unique_ptr<listener>> listeners_;
    std::vector<http::field_ref> fields_;  // scratch space of the head parser
    http::h1::request_head head_;
    std::array<const thread_pool*, 2> pools_{};
    std::function<void(stats::statistics&)> at_each_look_;
    look_timer look_;
    instant looked_;
    std::uint64_t requests_then_;
    std::uint64_t stalls_before_;  // counted by earlier workers
    instant complain_again_{};     // next log line of on_refused_proxy()
    const bool behind_proxies_;    // forwarding header fields of some peers are trusted
    bool draining_ = false;
    instant date_until_{};
    char date_[29];
};

}  // namespace rondo::server
