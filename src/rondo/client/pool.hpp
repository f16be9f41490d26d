// SPDX-License-Identifier: Apache-2.0
// The connection pool of an HTTP client on one loop.
// Implemented in pool.cpp and pool_connect.cpp.
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
#include <rondo/net/output_buffer.hpp>
#include <rondo/net/resolver.hpp>
#include <rondo/net/tls.hpp>
#include <rondo/stats/cpu_timer.hpp>

namespace rondo::detail {

class client_pool;

/// A counter that the loop thread writes and any thread may read.
class relaxed_counter {
public:
    void operator+=(std::uint64_t n) noexcept { add_relaxed(value_, n); }
    void operator++() noexcept { add_relaxed(value_, 1); }
    void operator--() noexcept { add_relaxed(value_, -1); }
    operator std::size_t() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

struct client_stats {
    std::uint64_t requests = 0;   ///< requests for a connection
    std::uint64_t opened = 0;     ///< connections opened
    std::uint64_t refused = 0;    ///< requests that found the queue full
    std::uint64_t waits = 0;      ///< finished waits for a connection
    std::uint64_t waited_ns = 0;  ///< total time of these waits
    std::uint64_t open = 0, idle = 0, waiting = 0;

    void add(const client_stats& more) noexcept;
};

/// A call that waits for a connection, or for permission to open one. Returns what was granted when it is cancelled or
/// destroyed before the coroutine resumes.
class client_connection_waiter : public waiter, timer {
public:
    client_connection_waiter(client_pool& pool, client_origin& origin, instant deadline) noexcept;
    ~client_connection_waiter();

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> h) noexcept {
        return suspend(h) && enter();
    }
    /// Null: the caller opens one. Throws `cancelled` and timed_out.
    [[nodiscard]] client_connection* await_resume();

private:
    friend class client_pool;
    bool enter() noexcept;
    void release() noexcept;

    client_pool& pool_;
    client_origin& origin_;
    client_connection* connection_ = nullptr;
    std::uint64_t ticket_ = 0;
    instant waiting_since_{};
    bool granted_ = false;  // and the coroutine has not resumed yet
    bool timed_out_ = false;
};

/// A destination of requests: a host and port, a unix socket, or a proxy.
struct client_origin {
    std::string key;
    http::url url;
    std::optional<http::url> tunnel;               ///< the proxy used to reach it
    std::size_t open = 0;                          ///< connections, including those being opened
    intrusive_list<client_connection_entry> idle;  ///< the most recently used last
    intrusive_list<waiter> waiters;
};

/// The connections of a client on one loop. Use on the loop thread only. Owns itself: shut_down() destroys it.
class client_pool final : posted_task {
public:
    /// `owner` keeps `options` alive.
    client_pool(event_loop& loop, const client_options& options, std::shared_ptr<const void> owner);
    client_pool(const client_pool&) = delete;
    client_pool& operator=(const client_pool&) = delete;

    /// Closes all connections, then destroys this on an empty stack.
    void shut_down() noexcept;

    /// A connection for one request; returned to the pool or closed when the lease ends.
    class lease;
    /// Throws client_error (resolve, connect, tls, timeout, busy), `cancelled`. `fresh`: opens a new connection.
    [[nodiscard]] task<lease> acquire(const http::url& to, const client_timeouts& timeouts, instant deadline,
                                      bool fresh);

    [[nodiscard]] std::size_t open() const noexcept { return open_; }
    [[nodiscard]] std::size_t idle() const noexcept { return idle_; }
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }
    /// All counters. Any thread, while the pool exists.
    [[nodiscard]] client_stats stats() const noexcept;
    [[nodiscard]] event_loop& loop() noexcept { return loop_; }
    /// Scratch space of the head parser.
    [[nodiscard]] std::span<http::field_ref> fields() noexcept { return fields_; }
    [[nodiscard]] const client_options& options() const noexcept { return options_; }
    /// The proxy for requests to this URL; null: none.
    [[nodiscard]] const http::url* proxy_for(const http::url& to) const noexcept;
    [[nodiscard]] std::vector<std::unique_ptr<client_middleware>>& middleware() noexcept { return middleware_; }

    /// Closes a connection and destroys it later on an empty stack; a waiting call gets its place.
    void retire(client_connection& c) noexcept;

private:
    friend class client_connection_waiter;
    class connection_slot;

    ~client_pool() = default;
    /// Throws client_error when the proxy configured for this URL is invalid.
    void require_usable_proxy(const http::url& to) const;
    [[nodiscard]] client_origin& origin_of(const http::url& to);
    [[nodiscard]] client_connection* pop_idle(client_origin& o) noexcept;
    /// True when a connection to `o` may be opened now; closes an idle one of another origin to make room.
    [[nodiscard]] bool try_reserve_slot(client_origin& o) noexcept;
    [[nodiscard]] task<client_connection*> open(client_origin& o, instant deadline);
    [[nodiscard]] task<unique_fd> connect(const http::url& to, instant deadline);
    [[nodiscard]] task<void> open_tunnel(client_connection& c, const client_origin& o, instant deadline);
    [[nodiscard]] task<void> start_tls(client_connection& c, const client_origin& o, instant deadline);
    [[nodiscard]] task<const net::tls_context*> tls();
    void release(client_connection& c) noexcept;
    void close_all_idle(client_origin& o) noexcept;
    /// Subtracts the connection from the counters.
    void remove(client_connection& c) noexcept;
    void release_slot(client_origin& o) noexcept;
    /// Grants free connections and places to the waiting calls, longest wait first.
    void serve_waiters() noexcept;
    void erase_if_unused(client_origin& o) noexcept;
    void destroy_later(client_connection& c) noexcept;
    void run_on_loop() noexcept override;

    event_loop& loop_;
    std::shared_ptr<const void> owner_;
    const client_options& options_;
    net::output_buffer output_;
    net::resolver resolver_;
    std::optional<net::tls_context> tls_;  // made on first use
    std::unordered_map<std::string, std::unique_ptr<client_origin>> origins_;
    intrusive_list<client_connection_entry> busy_;
    intrusive_list<client_connection_entry> closed_;  // to be destroyed on an empty stack
    relaxed_counter open_;
    relaxed_counter idle_;
    relaxed_counter waiting_;
    relaxed_counter requests_;
    relaxed_counter opened_;
    relaxed_counter refused_;
    relaxed_counter waits_;
    relaxed_counter waited_ns_;
    std::uint64_t last_ticket_ = 0;
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
            close();
            pool_ = other.pool_;
            connection_ = std::exchange(other.connection_, nullptr);
            reused_ = other.reused_;
        }
        return *this;
    }
    ~lease() { close(); }

    [[nodiscard]] client_connection& connection() const noexcept { return *connection_; }
    [[nodiscard]] bool is_reused() const noexcept { return reused_; }
    explicit operator bool() const noexcept { return connection_ != nullptr; }

    /// Returns the connection for reuse: the response is complete.
    void release() noexcept {
        if (client_connection* c = std::exchange(connection_, nullptr)) pool_->release(*c);
    }
    /// Closes the connection: it cannot be reused.
    void close() noexcept {
        if (client_connection* c = std::exchange(connection_, nullptr)) pool_->retire(*c);
    }

private:
    client_pool* pool_ = nullptr;
    client_connection* connection_ = nullptr;
    bool reused_ = false;
};

}  // namespace rondo::detail
