// SPDX-License-Identifier: Apache-2.0
#pragma once

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
    virtual void count_in(statistics&) {}
};

}  // namespace rondo::handler
