// SPDX-License-Identifier: Apache-2.0
// The interface between the server and an application.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>

#include <rondo/coro/task.hpp>
#include <rondo/handler/request.hpp>
#include <rondo/handler/responder.hpp>

namespace rondo::handler {

/// An application that a server runs: of Rondo, of Python, or of a test. Called on a loop thread.
class application {
public:
    virtual ~application() = default;

    /// Called before the first request; an exception aborts the startup.
    [[nodiscard]] virtual task<void> startup() = 0;
    /// Called after the last request.
    [[nodiscard]] virtual task<void> shutdown() = 0;
    /// Answers one request with a finished or aborted response. When it throws (including `cancelled`), the server
    /// responds with 500 if the response was not started, and aborts the connection otherwise. Both arguments are valid
    /// until the task is done. Sets request.context->name to the route and request.view_row to the row of the view.
    [[nodiscard]] virtual task<void> serve(request& from, responder& to) = 0;
    /// Acquires the rows of its views (worker_stats::view_row). Called once per server, before the first request.
    virtual void register_views(stats::worker_stats&) {}

    /// Called by a server that receives the whole body before serve(). Returns the largest body the route allows in
    /// bytes, nothing for the limit of the server, or 0 when the body of this request is not needed.
    [[nodiscard]] virtual std::optional<std::uint64_t> body_limit(request& from);
    /// Answers a request that the server could not pass to serve() because of `why`, such as a full thread pool.
    /// Otherwise like serve(). Default: 503.
    [[nodiscard]] virtual task<void> refuse(request& from, responder& to, std::exception_ptr why);
    /// Called after the server itself answered an invalid request. During the call, `from` contains what could be
    /// parsed of the request line (version_major 0: no version), the connection and the memory.
    virtual void on_refused(request& from, http::status code, std::uint64_t body_bytes) noexcept;
};

}  // namespace rondo::handler
