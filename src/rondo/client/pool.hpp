// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <rondo/base/intrusive_list.hpp>
#include <rondo/client/connection.hpp>
#include <rondo/client/middleware.hpp>
#include <rondo/client/options.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/coro/waiter.hpp>
#include <rondo/http/url.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/net/output.hpp>
#include <rondo/net/resolver.hpp>
#include <rondo/net/tls.hpp>
#include <rondo/stats/cpu_timer.hpp>

namespace rondo::detail {

class client_pool;

/// A figure that the loop's thread writes and any may read.
class loop_figure {
public:
    void operator+=(std::uint64_t n) noexcept { add_to(value_, n); }
    void operator++() noexcept { add_to(value_, 1); }
    void operator--() noexcept { add_to(value_, -1); }
    operator std::size_t() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

struct client_counts {
    std::uint64_t requests = 0;   ///< connections that were asked for
    std::uint64_t opened = 0;     ///< connections made
    std::uint64_t refused = 0;    ///< that found the line full
    std::uint64_t waits = 0;      ///< in that line, which came to an end
    std::uint64_t waited_ns = 0;  ///< all of them together
    std::uint64_t open = 0, idle = 0, waiting = 0;

    void add(const client_counts& more) noexcept;
};

/// A call that waits for a connection, or for leave to open one. What it was given is taken back when it is cancelled
/// or destroyed before it knew.
class client_wait_for_connection : public waiter, timer {
public:
    client_wait_for_connection(client_pool& pool, client_origin& origin, instant until) noexcept;
    ~client_wait_for_connection();

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> who) noexcept {
        return suspend(who) && enter();
    }
    /// Null: open one. Throws `cancelled` and timed_out.
    [[nodiscard]] client_connection* await_resume();

private:
    friend class client_pool;
    bool enter() noexcept;
    void give_back() noexcept;

    client_pool& pool_;
    client_origin& origin_;
    client_connection* connection_ = nullptr;
    std::uint64_t ticket_ = 0;
    instant since_{};
    bool granted_ = false;  // and the coroutine does not know it yet
    bool late_ = false;
};

/// Where requests go: a host and port, a unix socket, or a proxy.
struct client_origin {
    std::string key;
    http::url at;
    std::optional<http::url> tunnel;               ///< the proxy that leads there
    std::size_t open = 0;                          ///< connections, and those being opened
    intrusive_list<client_connection_entry> idle;  ///< the one used last at the end
    intrusive_list<waiter> line;
};

/// The connections of a client on one loop. Belongs to the loop's thread, and to itself: close_down() destroys it.
class client_pool final : posted {
public:
    /// `keep` holds the options.
    client_pool(event_loop& loop, const client_options& options, std::shared_ptr<const void> keep);
    client_pool(const client_pool&) = delete;
    client_pool& operator=(const client_pool&) = delete;

    /// Closes everything, and destroys this when the stack is empty.
    void close_down() noexcept;

    /// A connection for one request; given back, or closed, when the lease ends.
    class lease;
    /// Throws client_error (resolve, connect, tls, time_out, busy), `cancelled`. `fresh`: not one that was used before.
    [[nodiscard]] task<lease> acquire(const http::url& to, const client_timeouts& limits, instant until, bool fresh);

    [[nodiscard]] std::size_t open() const noexcept { return open_; }
    [[nodiscard]] std::size_t idle() const noexcept { return idle_; }
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }
    /// The same and what was counted. Any thread, while it lives.
    [[nodiscard]] client_counts count() const noexcept;
    [[nodiscard]] event_loop& loop() noexcept { return loop_; }
    /// Scratch of the head parser.
    [[nodiscard]] std::span<http::field_ref> fields() noexcept { return fields_; }
    [[nodiscard]] const client_options& options() const noexcept { return options_; }
    /// The proxy for requests to this URL; null when there is none.
    [[nodiscard]] const http::url* proxy_for(const http::url& to) const noexcept;
    [[nodiscard]] std::vector<std::unique_ptr<client_middleware>>& middleware() noexcept { return middleware_; }

    /// Closes a connection and destroys it soon; its place goes to who waits.
    void retire(client_connection& c) noexcept;

private:
    friend class client_wait_for_connection;
    class place;

    ~client_pool() = default;
    /// Throws client_error when there should be a proxy for this URL, and the one stated cannot be used.
    void require_usable_proxy(const http::url& to) const;
    [[nodiscard]] client_origin& origin_of(const http::url& to);
    [[nodiscard]] client_connection* take_idle(client_origin& o) noexcept;
    /// True when a connection to `o` may be opened now; closes one that idles elsewhere to make room.
    [[nodiscard]] bool take_place(client_origin& o) noexcept;
    [[nodiscard]] task<client_connection*> open(client_origin& o, instant until);
    [[nodiscard]] task<unique_fd> connect(const http::url& to, instant until);
    [[nodiscard]] task<void> lead_through(client_connection& c, const client_origin& o, instant until);
    [[nodiscard]] task<void> secure(client_connection& c, const client_origin& o, instant until);
    [[nodiscard]] task<const net::tls_context*> tls();
    void release(client_connection& c) noexcept;
    void close_all_idle(client_origin& o) noexcept;
    /// Takes it out of the accounts and lists.
    void remove(client_connection& c) noexcept;
    void place_free(client_origin& o) noexcept;
    /// Gives what is free to who waits longest and can use it.
    void serve_line() noexcept;
    void forget_if_unused(client_origin& o) noexcept;
    void bury(client_connection& c) noexcept;
    void run_on_loop() noexcept override;

    event_loop& loop_;
    std::shared_ptr<const void> keep_;
    const client_options& options_;
    net::output output_;
    net::resolver resolver_;
    std::optional<net::tls_context> tls_;  // made when it is first needed
    std::unordered_map<std::string, std::unique_ptr<client_origin>> origins_;
    intrusive_list<client_connection_entry> busy_;
    intrusive_list<client_connection_entry> gone_;  // to be destroyed on an empty stack
    loop_figure open_;
    loop_figure idle_;
    loop_figure waiting_;
    loop_figure requests_;
    loop_figure opened_;
    loop_figure refused_;
    loop_figure waits_;
    loop_figure waited_ns_;
    std::uint64_t tickets_ = 0;
    std::vector<http::field_ref> fields_;
    std::optional<http::url> http_proxy_;
    std::optional<http::url> https_proxy_;
    std::vector<std::unique_ptr<client_middleware>> middleware_;
    bool deferred_ = false;
    bool closing_ = false;
};

class [[nodiscard]] client_pool::lease {
public:
    lease() noexcept = default;
    lease(client_pool& pool, client_connection& c, bool reused) noexcept
        : pool_(&pool), connection_(&c), reused_(reused) {}
    lease(lease&& other) noexcept
        : pool_(other.pool_), connection_(std::exchange(other.connection_, nullptr)), reused_(other.reused_) {}
    lease& operator=(lease&& other) noexcept {
        if (this != &other) {
            drop();
            pool_ = other.pool_;
            connection_ = std::exchange(other.connection_, nullptr);
            reused_ = other.reused_;
        }
        return *this;
    }
    ~lease() { drop(); }

    [[nodiscard]] client_connection& connection() const noexcept { return *connection_; }
    [[nodiscard]] bool reused() const noexcept { return reused_; }
    explicit operator bool() const noexcept { return connection_ != nullptr; }

    /// The response is complete, the connection can serve another request.
    void give_back() noexcept {
        if (client_connection* c = std::exchange(connection_, nullptr)) pool_->release(*c);
    }
    /// It cannot: closes it.
    void drop() noexcept {
        if (client_connection* c = std::exchange(connection_, nullptr)) pool_->retire(*c);
    }

private:
    client_pool* pool_ = nullptr;
    client_connection* connection_ = nullptr;
    bool reused_ = false;
};

}  // namespace rondo::detail
