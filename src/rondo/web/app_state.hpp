// SPDX-License-Identifier: Apache-2.0
// The state behind an application, and the functions that process a request with it.
// Implemented in app.cpp, error_response.cpp and isolated/call_isolated.cpp.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <rondo/web/app.hpp>
#include <rondo/web/lifespan_tasks.hpp>
#include <rondo/web/routing/router.hpp>

namespace rondo::detail {

/// The middleware of a request, outermost first, and the application whose views it wraps.
class middleware_chain {
public:
    std::vector<const layer*> layers;
    const app_state* owner = nullptr;
};

/// The state of an application; immutable after prepare().
struct app_state {
    std::vector<std::unique_ptr<route_entry>> routes;
    std::vector<layer> own_layers;
    std::vector<std::pair<int, error_handler>> error_handlers;
    std::vector<hook> start_hooks;
    std::vector<hook> stop_hooks;
    std::vector<std::function<void()>> arbiter_start_hooks;
    std::vector<std::function<void()>> reload_hooks;
    std::vector<std::function<void(request&)>> before_request;            ///< outermost application only
    std::vector<std::function<void(const access_entry&)>> after_request;  ///< outermost application only
    std::vector<std::unique_ptr<app_state>> mounted;
    std::vector<std::shared_ptr<declared_setting>> declared_settings;
    std::vector<std::unique_ptr<declared_command>> declared_commands;
    std::vector<std::unique_ptr<application_default>> defaults;
    app_settings framework_settings;  ///< the same in mounted applications
    lifespan_tasks tasks;
    lifespan_tasks::leader_check is_leader;      ///< outermost application only
    std::optional<instant> background_deadline;  ///< outermost application only
    const app_state* parent = nullptr;
    access_log_sink* access_log = nullptr;

    bool prepared = false;
    router route_table;           ///< outermost application only
    middleware_chain middleware;  ///< its own middleware inside that of the applications it is mounted in

    /// Throws std::invalid_argument when two routes are equivalent.
    void prepare();
    /// Calls `f(route_entry&)` for each route, including those of mounted applications.
    template <class F>
    void for_each_route(F&& f) {
        for (const auto& route : routes) f(*route);
        for (const auto& sub : mounted) sub->for_each_route(f);
    }
    /// Throws std::logic_error when the application runs already. `action` is a verb phrase such as "add routes".
    void require_not_running(const char* action) const;
    [[nodiscard]] const error_handler* handler_for(http::status code) const noexcept;
};

/// Calls an isolated view in a compute process or, if there are none, on a compute thread.
[[nodiscard]] task<response> call_isolated(const route_entry& route, request& req);
/// Registers the stats for the view's compute jobs.
void register_isolated_stats(isolated_state& part, stats::worker_stats& server_stats);
/// Makes the response for a failure: the application's error handler or the built-in page.
[[nodiscard]] task<response> make_failure_response(const app_state& app, request& req, failure f);
/// Logs an exception of a view, unless it is an http_error other than 500, a cancellation or a lost connection.
void log_failure(request& req, const std::exception_ptr& cause) noexcept;

}  // namespace rondo::detail
