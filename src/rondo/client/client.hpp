// SPDX-License-Identifier: Apache-2.0
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
class client_background;
}  // namespace detail

/// What takes a response while its request is still being sent; see client::exchange().
class client_response_handler {
public:
    /// Reads what it wants of the body. Its end ends the exchange.
    [[nodiscard]] virtual task<void> handle(client_response& response) = 0;

protected:
    ~client_response_handler() = default;
};

/// An HTTP/1.1 client that keeps connections (RFC 9110, 9112):
///     client_response r = co_await client.get("http://127.0.0.1:8000/articles");
///
/// One object serves views on any loop and thread at once: each loop has connections of its own, made when it first
/// calls; a forked process makes its own. The client must outlive its calls and what open() gave. Every wait is a
/// cancellation point: a cancelled call closes its connection, which makes room for the next. Errors: client_error; an
/// error status is a response like any.
class client {
public:
    explicit client(client_options options = {});
    ~client();
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    /// Sends a request and reads the whole response. Follows redirects. A request that may be repeated (RFC 9110
    /// section 9.2.2) is sent again when a kept connection turns out to be closed. On a loop's thread.
    [[nodiscard]] task<client_response> send(client_request request);
    [[nodiscard]] task<client_response> get(std::string url) { return send({http::method::get, std::move(url)}); }
    [[nodiscard]] task<client_response> head(std::string url) { return send({http::method::head, std::move(url)}); }
    [[nodiscard]] task<client_response> remove(std::string url) {
        return send({http::method::delete_, std::move(url)});
    }
    [[nodiscard]] task<client_response> post(std::string url, std::string body, std::string_view type);
    [[nodiscard]] task<client_response> put(std::string url, std::string body, std::string_view type);

    /// The same, but ends with the head: the body is read piece by piece, no faster than it is asked for.
    [[nodiscard]] task<client_response> open(client_request request);

    /// Calls `then` as soon as the head is there, while the body of the request is still being sent: for both
    /// directions at once. What is not sent when `then` ends is not sent any more.
    [[nodiscard]] task<void> exchange(client_request request, client_response_handler& then);

    /// The blocking face, for sync views: the calling thread waits while a thread of the client's own makes the call.
    /// Has the deadline of the request that the view serves, and ends with `cancelled` when its client is gone. Throws
    /// synchronous_only on a loop's thread.
    [[nodiscard]] client_response send_sync(client_request request);
    [[nodiscard]] client_response get_sync(std::string url) {
        return send_sync(client_request(http::method::get, std::move(url)));
    }

    /// The connections of the calling thread's loop.
    struct figures {
        std::size_t open = 0;     ///< connections, those being opened included
        std::size_t idle = 0;     ///< of these wait for a request
        std::size_t waiting = 0;  ///< calls that wait for a connection
    };
    [[nodiscard]] figures connections() const;

    [[nodiscard]] const client_options& options() const noexcept;

private:
    struct around;

    /// After a fork: makes nothing of the parent's connections.
    void leave_parents() noexcept;
    [[nodiscard]] task<client_response> run(client_request request, bool whole);
    [[nodiscard]] task<client_response> run_around(client_request request, bool whole);
    [[nodiscard]] task<client_response> run_inner(client_request request, client_response_handler* then, bool whole);

    std::shared_ptr<detail::client_pools> pools_;
    std::unique_ptr<detail::client_background> background_;
};

}  // namespace rondo
