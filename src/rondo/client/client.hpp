// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 client: what applications use to call other servers.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <rondo/client/error.hpp>
#include <rondo/client/options.hpp>
#include <rondo/client/request.hpp>
#include <rondo/client/response.hpp>
#include <rondo/coro/task.hpp>

namespace rondo {

namespace detail {
class client_pools;
class sync_client_loop;
}  // namespace detail

/// Handles a response while its request is still being sent; see client::exchange().
class client_response_handler {
public:
    /// Reads as much of the body as it needs. The exchange ends when this returns.
    [[nodiscard]] virtual task<void> handle(client_response& response) = 0;

protected:
    ~client_response_handler() = default;
};

/// An HTTP/1.1 client with a connection pool (RFC 9110, 9112):
///     client_response r = co_await client.get("http://127.0.0.1:8000/articles");
///
/// One object serves views on all loops and threads at once: each loop has its own connections, opened on demand, and a
/// forked process opens new ones. The client must outlive its calls and the responses of open(). Every wait is a
/// cancellation point: a cancelled call closes its connection, which frees its place in the pool. Throws client_error;
/// an error status is an ordinary response.
class client {
public:
    explicit client(client_options options = {});
    ~client();
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    /// Sends a request and reads the whole response. Follows redirects. An idempotent request (RFC 9110 section 9.2.2)
    /// is sent again when a reused connection turns out to be closed. Call on a loop thread.
    [[nodiscard]] task<client_response> send(client_request request);
    [[nodiscard]] task<client_response> get(std::string url) { return send({http::method::get, std::move(url)}); }
    [[nodiscard]] task<client_response> head(std::string url) { return send({http::method::head, std::move(url)}); }
    [[nodiscard]] task<client_response> remove(std::string url) {
        return send({http::method::delete_, std::move(url)});
    }
    [[nodiscard]] task<client_response> post(std::string url, std::string body, std::string_view type);
    [[nodiscard]] task<client_response> put(std::string url, std::string body, std::string_view type);

    /// Returns as soon as the head has arrived; the body is then read piece by piece, no faster than the caller reads.
    [[nodiscard]] task<client_response> open(client_request request);

    /// Calls `handler` as soon as the head has arrived, while the request body is still being sent: both directions at
    /// once. When `handler` returns, the rest of the request body is discarded.
    [[nodiscard]] task<void> exchange(client_request request, client_response_handler& handler);

    /// Blocking variant for sync views: the calling thread waits while a thread of this client makes the call. Inherits
    /// the deadline of the request that the view handles; throws `cancelled` when that request's client disconnects,
    /// synchronous_only on a loop thread.
    [[nodiscard]] client_response send_sync(client_request request);
    [[nodiscard]] client_response get_sync(std::string url) {
        return send_sync(client_request(http::method::get, std::move(url)));
    }

    /// The connections of the calling thread's loop.
    struct connection_stats {
        std::size_t open = 0;     ///< connections, including those being opened
        std::size_t idle = 0;     ///< open connections without a request
        std::size_t waiting = 0;  ///< calls waiting for a connection
    };
    [[nodiscard]] connection_stats connections() const;

    [[nodiscard]] const client_options& options() const noexcept;

private:
    struct middleware_chain;

    /// Abandons the parent's connections after a fork.
    void reset_after_fork() noexcept;
    [[nodiscard]] task<client_response> run(client_request request, bool read_all);
    [[nodiscard]] task<client_response> run_through_middleware(client_request request, bool read_all);
    [[nodiscard]] task<client_response> run_call(client_request request, client_response_handler* handler,
                                                 bool read_all);

    std::shared_ptr<detail::client_pools> pools_;
    std::unique_ptr<detail::sync_client_loop> sync_loop_;
};

}  // namespace rondo
