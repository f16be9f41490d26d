// SPDX-License-Identifier: Apache-2.0
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

/// The middleware a request passes, outermost first, and whose application answers at their end.
class layers {
public:
    std::vector<const layer*> items;
    const app_state* owner = nullptr;
};

/// What an application holds. After prepare() nothing changes any more.
struct app_state {
    std::vector<std::unique_ptr<route_entry>> routes;
    std::vector<layer> own_layers;
    std::vector<std::pair<int, error_handler>> error_handlers;
    std::vector<hook> starts;
    std::vector<hook> stops;
    std::vector<std::function<void()>> arbiter_starts;
    std::vector<std::function<void()>> reloads;
    std::vector<std::function<void(request&)>> before;            ///< of the outermost application only
    std::vector<std::function<void(const access_entry&)>> after;  ///< the same
    std::vector<std::unique_ptr<app_state>> mounted;
    std::vector<std::shared_ptr<declared_setting>> settings;
    std::vector<std::unique_ptr<declared_command>> commands;
    std::vector<std::unique_ptr<preferred_setting>> preferred;
    app_settings chosen;  ///< everywhere the same
    companions beside;
    companions::election elect;  ///< of the outermost application only, as the next
    std::optional<instant> background_until;
    const app_state* parent = nullptr;
    access_log_sink* log = nullptr;

    bool prepared = false;
    router to_views;  ///< of the outermost application only
    layers around;    ///< its own and those of the applications it is mounted in

    /// Throws when two routes are alike.
    void prepare();
    /// Calls `f(route_entry&)` for each, also of what is mounted.
    template <class F>
    void for_each_route(F&& f) {
        for (const auto& route : routes) f(*route);
        for (const auto& sub : mounted) sub->for_each_route(f);
    }
    /// Throws std::logic_error when it runs already.
    void require_not_running(const char* what) const;
    [[nodiscard]] const error_handler* handler_for(http::status code) const noexcept;
};

/// The response of the route or of the middleware around it; may throw at once.
[[nodiscard]] task<response> respond(const app_state& app, request& req);
/// Calls the view where its kind runs; may throw at once.
[[nodiscard]] task<response> call_view(const route_entry& route, request& req);
/// Calls an isolated view, in a process of its own or, without those, on a compute thread.
[[nodiscard]] task<response> call_isolated(const route_entry& route, request& req);
/// What it asks of compute processes is counted there from now on.
void count_isolated(isolated_part& part, stats::statistics& figures);
/// The response for a failure: by the application's handler for it, or the built-in page.
[[nodiscard]] task<response> response_of(const app_state& app, request& req, failure f);
/// Logs what a view threw, unless it is an http_error below 500 or a cancellation.
void report(request& req, const std::exception_ptr& cause) noexcept;
/// Sends the whole response.
[[nodiscard]] task<void> send(response& r, handler::responder& to, request& req);
/// The whole way of one request: never throws.
[[nodiscard]] task<void> answer(const app_state& app, handler::request& from, handler::responder& to);
/// The same for a request that failed before it could be answered.
[[nodiscard]] task<void> answer_failure(const app_state& app, handler::request& from, handler::responder& to,
                                        std::exception_ptr why);

}  // namespace rondo::detail
