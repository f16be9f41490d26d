// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <rondo/base/arena.hpp>
#include <rondo/base/clock.hpp>
#include <rondo/coro/event.hpp>
#include <rondo/coro/task.hpp>
#include <rondo/coro/task_context.hpp>
#include <rondo/http/fields.hpp>
#include <rondo/http/method.hpp>
#include <rondo/stats/worker_stats.hpp>

namespace rondo::handler {

/// The body of a request as a stream. Everything is called on the request's loop thread, one read at a time.
class body {
public:
    /// The next bytes, which hold until the next call; empty at the end and ever after. Throws http_error: 413 when the
    /// body is larger than the limit (raise that and read on, or leave it), 400 when its framing is broken or the
    /// client ended it early, 408 when it comes too slowly; `cancelled` when the request was. The first read sends `100
    /// Continue` when the client waits for it.
    [[nodiscard]] virtual task<std::string_view> read() = 0;

    /// The declared length; nothing when it is chunked. 0 when there is no body.
    [[nodiscard]] virtual std::optional<std::uint64_t> length() const noexcept = 0;
    /// True when nothing is left to read, in particular for a request without a body.
    [[nodiscard]] virtual bool ended() const noexcept = 0;
    /// Bytes allowed for this body. The server's default unless it is changed.
    virtual void limit(std::uint64_t bytes) noexcept = 0;
    [[nodiscard]] virtual std::uint64_t limit() const noexcept = 0;
    /// Trailer fields after the end of a chunked body, null when there are none.
    [[nodiscard]] virtual const http::fields* trailers() const noexcept = 0;

protected:
    ~body() = default;
};

/// What is known of the connection a request came over.
class connection_info {
public:
    /// The client's address without port ("127.0.0.1", "::1"; "unix" for a unix socket), asked for when first wanted.
    [[nodiscard]] virtual std::string_view peer_address() noexcept = 0;
    /// The client's port; 0 for a unix socket.
    [[nodiscard]] virtual std::uint16_t peer_port() noexcept = 0;
    [[nodiscard]] virtual bool secure() const noexcept = 0;
    /// The other end of the connection itself, whatever a trusted proxy told of its client.
    [[nodiscard]] virtual std::string_view sender_address() noexcept { return peer_address(); }

protected:
    ~connection_info() = default;
};

/// A request as the server hands it to an application. All views hold until the response is finished, across every
/// await. Belongs to the loop thread, except that one other thread may use it while the loop waits for that thread.
struct request {
    http::method method = http::method::get;
    std::uint8_t version_major = 1;
    std::uint8_t version_minor = 1;
    bool has_query : 1 = false;
    bool on_thread : 1 = false;    ///< runs from its beginning to its end on a thread that serves nothing else
    std::uint16_t view = 0;        ///< its row in serving->views, set by the application; 0: none
    std::uint16_t row = 0;         ///< its row in serving->running, from 1 on; 0: it was not taken yet
    std::string_view method_text;  ///< the token, also for http::method::other
    std::string_view target;       ///< as received
    std::string_view path;         ///< still percent-encoded; "*" for OPTIONS *
    std::string_view query;        ///< still percent-encoded, without '?'
    std::string_view authority;    ///< host[:port]; empty for HTTP/1.0 without Host
    http::fields_view fields;
    handler::body* body = nullptr;
    handler::connection_info* connection = nullptr;
    context* running_in = nullptr;   ///< cancel token, deadline, activity
    instant arrived;                 ///< when the head was complete
    rondo::arena* memory = nullptr;  ///< lives as long as the request
    event* draining = nullptr;       ///< set when the server ends: what would go on without end finishes; may be null
    stats::statistics* serving = nullptr;  ///< what the server counts; null when there is no server (a test)

    /// Says where the request is from now on, because it is not answered at once. On the loop's thread; while another
    /// thread runs the request, that one says so (thread_hop::stay, on_thread: what is the loop elsewhere is that
    /// thread then). Null when nobody counts, or when more requests wait than can be told one by one.
    stats::running_request* goes(stats::place to) noexcept;
};

}  // namespace rondo::handler
