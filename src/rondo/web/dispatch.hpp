// SPDX-License-Identifier: Apache-2.0
// Processes a request: routing, middleware, the view and the response.
#pragma once

#include <exception>

#include <rondo/coro/task.hpp>
#include <rondo/web/app_state.hpp>

namespace rondo::detail {

/// Runs middleware and view. May throw synchronously.
[[nodiscard]] task<response> make_response(const app_state& app, request& req);
/// Calls the view on the loop, thread or process that its kind requires. May throw synchronously.
[[nodiscard]] task<response> call_view(const route_entry& route, request& req);
/// Sends the whole response.
[[nodiscard]] task<void> send_response(response& r, handler::responder& to, request& req);
/// Processes one request up to the end of its response. The task never throws.
[[nodiscard]] task<void> handle_request(const app_state& app, handler::request& from, handler::responder& to);
/// Responds to a request that failed before it was dispatched. The task never throws.
[[nodiscard]] task<void> handle_failure(const app_state& app, handler::request& from, handler::responder& to,
                                        std::exception_ptr cause);

}  // namespace rondo::detail
