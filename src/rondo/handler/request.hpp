// SPDX-License-Identifier: Apache-2.0
// A request, its body and its connection, as the server passes them to an application.
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

/// The body of a request as a stream. Used on the loop thread of the request, one read at a time.
class body {
public:
    /// Returns the next bytes, valid until the next call; empty at the end. Throws http_error: 413 when the body
    /// exceeds the limit (the caller may raise the limit and continue), 400 when its framing is invalid or the client
    /// closed the connection early, 408 on a timeout; throws `cancelled` when the request was cancelled. The first read
    /// sends `100 Continue` when the client expects it.
    [[nodiscard]] virtual task<std::string_view> read() = 0;
    /// Like read(), without waiting: bytes the server has received, valid until the next call; empty at the end;
    /// Like read(), without waiting: bytes received already, valid until the next call or until the caller suspends;
    /// empty at the end; std::nullopt when read() would have to wait. Never sends `100 Continue`. What arrives later is
    /// received by read() only.
    [[nodiscard]] virtual std::optional<std::string_view> try_read() = 0;
    /// Bytes that were received and not read yet; of a chunked body with their framing.
    [[nodiscard]] virtual std::size_t buffered() const noexcept { return 0; }

    /// The declared length; nothing for a chunked body, 0 without a body.
    [[nodiscard]] virtual std::optional<std::uint64_t> length() const noexcept = 0;
    /// True when the body was read to the end, and for a request without a body.
    [[nodiscard]] virtual bool is_at_end() const noexcept = 0;
    /// Sets the largest allowed size of this body. Default: the limit of the server.
    virtual void limit(std::uint64_t bytes) noexcept = 0;
    [[nodiscard]] virtual std::uint64_t limit() const noexcept = 0;
    /// Trailer fields after the end of a chunked body; null when there are none.
    [[nodiscard]] virtual const http::fields* trailers() const noexcept = 0;

protected:
    ~body() = default;
};

/// The connection that a request arrived on.
class connection_info {
public:
    /// The address of the client without port ("127.0.0.1", "::1"; "unix" for a unix socket); resolved by the first
    /// call.
    [[nodiscard]] virtual std::string_view peer_address() noexcept = 0;
    /// The port of the client; 0 for a unix socket.
    [[nodiscard]] virtual std::uint16_t peer_port() noexcept = 0;
    [[nodiscard]] virtual bool is_secure() const noexcept = 0;
    /// The address of the direct peer, even when a trusted proxy forwarded another address for the client.
    [[nodiscard]] virtual std::string_view direct_peer_address() noexcept { return peer_address(); }

    /// The address the client connected to, without port; the path of a unix socket. Resolved by the first call.
    [[nodiscard]] virtual std::string_view local_address() noexcept = 0;
    /// The port the client connected to; 0 for a unix socket.
    [[nodiscard]] virtual std::uint16_t local_port() noexcept = 0;
    [[nodiscard]] virtual bool is_unix() noexcept = 0;

protected:
    ~connection_info() = default;
};

/// Notified that the client has shut down its sending side while its response is being sent. Nearly always it has
/// closed the whole connection, but it may also still read.
class half_close_listener {
public:
    /// Called on the loop thread, in a turn of the loop.
    virtual void on_half_closed() noexcept = 0;

protected:
    ~half_close_listener() = default;
};

/// A request as the server passes it to an application. All string views are valid until the response is finished.
/// Used on the loop thread, or on one other thread while the loop waits for that thread.
struct request {
    http::method method = http::method::get;
    std::uint8_t version_major = 1;
    std::uint8_t version_minor = 1;
    bool has_query : 1 = false;
    bool has_own_thread : 1 = false;  ///< runs from start to end on a dedicated thread
    std::uint16_t view_row = 0;       ///< row in stats->views, set by the application; 0: none
    std::uint16_t running_row = 0;    ///< row in stats->running, from 1 on; 0: not acquired yet
    std::string_view method_text;     ///< the token, also for http::method::other
    std::string_view target;          ///< as received
    std::string_view path;            ///< still percent-encoded; "*" for OPTIONS *
    std::string_view query;           ///< still percent-encoded, without '?'
    std::string_view authority;       ///< host[:port]; empty for HTTP/1.0 without Host
    http::fields_view fields;
    handler::body* body = nullptr;
    handler::connection_info* connection = nullptr;
    task_context* context = nullptr;          ///< cancel token, deadline, name
    instant arrived;                          ///< when the head was complete
    rondo::arena* memory = nullptr;           ///< valid as long as the request
    half_close_listener* listener = nullptr;  ///< set by the application; null: not interested
    event* draining = nullptr;  ///< set when the server drains: endless responses must finish then; may be null
    stats::worker_stats* stats = nullptr;  ///< null without a server, as in a test

    /// Records the state of a request that is not answered at once. Called on the thread that runs the request
    /// (offload_timer::scope does it on pool threads); on a dedicated thread, the state `loop` becomes `pool_thread`.
    /// Returns null without stats, or when all rows are in use.
    stats::running_request* enter(stats::request_state state) noexcept;
};

}  // namespace rondo::handler
