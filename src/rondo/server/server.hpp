// SPDX-License-Identifier: Apache-2.0
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

/// Serves an application on one loop: accepts, keeps the connections and their time-outs, drains. On the loop's thread.
class server final : posted {
public:
    /// `app` must outlive the server, and so must `counted_in`, where statistics::begin() was said; null: the server
    /// keeps its figures for itself.
    server(event_loop& loop, handler::application& app, const options& settings = {},
           stats::statistics* counted_in = nullptr);
    /// Connections that still live are cut off.
    ~server();
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    /// There are other processes that accept from the same sockets: all of them take even shares. Before accept_from().
    /// `views`: the threads that all requests run on, if it is so.
    void share_with(const process::slot_table& all, std::size_t own, const thread_pool* views = nullptr) noexcept {
        share_.emplace(all, own, views);
    }
    /// To be said at SIGWINCH, by which one of those processes asks another to take a connection that waits.
    void called() noexcept;
    /// Accepts connections from now on.
    void accept_from(net::listening_socket socket);

    /// Accepts what waits in the accept queues, then no more: the listeners are closed. What is accepted from now on
    /// serves one request.
    void stop_accepting() noexcept;
    /// Ends in steps: stop_accepting(); idle connections end; requests under way get `grace` to finish, then are
    /// cancelled; what is left a second later is cut off.
    [[nodiscard]] task<void> drain(clock::duration grace);
    /// Ends every connection now.
    void cut_off() noexcept;

    /// Lets the statistics tell how many threads these pools have. They must outlive the server.
    void watch(const thread_pool& blocking, const thread_pool& compute) noexcept { pools_ = {&blocking, &compute}; }

    /// Is called twice a second, for figures that somebody else counts.
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
    /// Twice a second: the figures that nobody counts as they happen.
    void look() noexcept;
    void look_at_loop(instant now) noexcept;
    void look_at_pools() noexcept;

    void adopt(unique_fd socket) noexcept;
    void gone(connection& c) noexcept;
    /// A connection without a proper PROXY header; logged at most every ten seconds.
    void refused_proxy(std::string_view peer, std::string_view why) noexcept;
    void run_on_loop() noexcept override;
    template <class F>
    void for_each(F f) {
        list_.for_each([&f](connection_entry& e) { f(static_cast<connection&>(e)); });
    }
    void refresh_date() noexcept;
    /// The value of the Date field, at most a second old.
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
    intrusive_list<connection_entry> gone_;  // to be destroyed on an empty stack
    std::size_t count_ = 0;
    event empty_;
    event drain_begun_;
    std::optional<share> share_;
    std::vector<std::unique_ptr<listener>> listeners_;
    std::vector<http::field_ref> fields_;  // scratch of the head parser
    http::h1::request_head head_;
    std::array<const thread_pool*, 2> pools_{};
    std::function<void(stats::statistics&)> at_each_look_;
    look_timer look_;
    instant looked_;
    std::uint64_t requests_then_;
    std::uint64_t stalls_before_;  // of earlier workers
    instant complain_again_{};     // of refused_proxy()
    const bool behind_proxies_;    // somebody's Forwarded fields are believed
    bool draining_ = false;
    instant date_until_{};
    char date_[29];
};

}  // namespace rondo::server
