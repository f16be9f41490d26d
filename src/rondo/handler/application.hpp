// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <exception>
#include <optional>

#include <rondo/coro/task.hpp>
#include <rondo/handler/request.hpp>
#include <rondo/handler/responder.hpp>

namespace rondo::handler {

/// What a server serves: a Rondo application, a Python application, a test's. Called on a loop thread.
class application {
public:
    virtual ~application() = default;

    /// Before the first request; a failure stops the start.
    [[nodiscard]] virtual task<void> startup() = 0;
    /// After the last request.
    [[nodiscard]] virtual task<void> shutdown() = 0;
    /// Answers one request: it ends with a finished or aborted response. A failure that leaves it (`cancelled`
    /// included) is the server's to clear up: 500 when nothing was begun, otherwise the connection is aborted. Both
    /// arguments live until the task is done. Sets request.running_in->activity to the route.
    /// Sets request.view to the view's row as well.
    [[nodiscard]] virtual task<void> serve(request& from, responder& to) = 0;
    /// Asks for the rows of its views (statistics::row_of). Called once per server, before the first request.
    virtual void count_in(stats::statistics&) {}

    /// Asked by a server that receives the body before it calls serve(): how many bytes it may have (what the route
    /// allows), nothing for the server's own limit, 0 when the body of this request is of no use.
    [[nodiscard]] virtual std::optional<std::uint64_t> body_limit(request& from);
    /// Answers a request that the server could not give to serve(), because of `why` (no thread is free in time, say).
    /// Like serve() otherwise. By default: 503.
    [[nodiscard]] virtual task<void> refuse(request& from, responder& to, std::exception_ptr why);
    /// Told of what the server answered itself because it is no request: `from` holds what could be read of its first
    /// line (a version_major of 0: no version), the connection and memory, for the time of the call.
    virtual void refused(request& from, http::status code, std::uint64_t body_bytes) noexcept;
};

}  // namespace rondo::handler
