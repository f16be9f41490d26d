// SPDX-License-Identifier: Apache-2.0
// The application object: routes, middleware, hooks, background tasks, settings and commands.
// Implemented in app.cpp, app_hooks.cpp and app_declarations.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <rondo/handler/application.hpp>
#include <rondo/web/access_log.hpp>
#include <rondo/web/app_settings.hpp>
#include <rondo/web/background.hpp>
#include <rondo/web/command.hpp>
#include <rondo/web/error_response.hpp>
#include <rondo/web/lifespan_hook.hpp>
#include <rondo/web/middleware.hpp>
#include <rondo/web/routing/path.hpp>
#include <rondo/web/routing/view.hpp>
#include <rondo/web/setting.hpp>

namespace rondo {

namespace detail {
struct app_state;

/// A default that the application sets for a setting.
struct application_default {
    std::string name;
    std::string value;
    std::source_location location;
};
}  // namespace detail

/// Options of one route, beyond its path and view.
class route_options {
public:
    /// Sets the largest request body of this route in bytes, overriding the server's limit.
    route_options& body_limit(std::uint64_t bytes) noexcept { return body_limit_ = bytes, *this; }
    [[nodiscard]] std::uint64_t body_limit() const noexcept { return body_limit_; }

    static constexpr std::uint64_t server_limit = UINT64_MAX;

private:
    std::uint64_t body_limit_ = server_limit;
};

/// A route as the commands `routes` and `check` print it.
struct route_info {
    std::string methods;  ///< "GET, HEAD"; "any"
    std::string pattern;
    view_kind kind;
    std::source_location location;
};

/// A web application: routes, middleware, error handlers and lifespan hooks. Configured before it runs; from then on it
/// is immutable and may serve on several threads. Movable until it runs.
///
/// Routing: a path is matched segment by segment, each decoded on its own ("%2F" stays inside its segment). Literal
/// segments take precedence over parameters, and parameters rank uint, int, float, uuid, custom converters, slug, str,
/// path; if the preferred branch has no match, the next one is tried. HEAD is served by the GET view (the server omits
/// the body). OPTIONS is answered with 204 and Allow unless a view handles it, "OPTIONS *" with 204. A method that the
/// path has no route for, TRACE included, gets 405 with Allow; CONNECT gets 501. A trailing slash is significant: "/a"
/// and "/a/" are different paths; a GET or HEAD for the one without a route is redirected (307) to the other if that
/// has one.
class app final : public handler::application {
public:
    app();
    app(app&&) noexcept;
    app& operator=(app&&) noexcept;
    ~app() override;

    template <class View>
    route_options& get(path_for<std::type_identity_t<View>> path, View view) {
        return route({http::method::get}, path, std::move(view));
    }
    template <class View>
    route_options& post(path_for<std::type_identity_t<View>> path, View view) {
        return route({http::method::post}, path, std::move(view));
    }
    template <class View>
    route_options& put(path_for<std::type_identity_t<View>> path, View view) {
        return route({http::method::put}, path, std::move(view));
    }
    template <class View>
    route_options& patch(path_for<std::type_identity_t<View>> path, View view) {
        return route({http::method::patch}, path, std::move(view));
    }
    /// Adds a route for DELETE.
    template <class View>
    route_options& del(path_for<std::type_identity_t<View>> path, View view) {
        return route({http::method::delete_}, path, std::move(view));
    }
    /// Adds a route for every method except TRACE and CONNECT, including unknown ones. A route for a specific method
    /// takes precedence.
    template <class View>
    route_options& any(path_for<std::type_identity_t<View>> path, View view) {
        return route({}, path, std::move(view));
    }
    template <class View>
    route_options& route(std::initializer_list<http::method> methods, path_for<std::type_identity_t<View>> path,
                         View view) {
        return add_typed_route(methods, path, std::move(view), detail::parameters_of<View>{});
    }

    /// `app.get("/x", &object, &type::view)`; the object must outlive the application.
    template <class Object, class Member>
    route_options& get(path_for<std::type_identity_t<member_view<Object, Member>>> path, Object* object,
                       Member member) {
        return route({http::method::get}, path, bind(object, member));
    }
    template <class Object, class Member>
    route_options& post(path_for<std::type_identity_t<member_view<Object, Member>>> path, Object* object,
                        Member member) {
        return route({http::method::post}, path, bind(object, member));
    }

    /// Mounts `sub` under a prefix: its routes, inside its own middleware and this application's; its error handlers,
    /// for its own routes; its start and stop hooks.
    void mount(path_prefix prefix, app sub);

    /// Adds middleware around every response, 404 included; the first one added is the outermost. Accepts
    /// `task<response>(request&, next)`; or, on the blocking pool, `std::optional<response>(request&)` to run before
    /// the view, or `response(request&, response)` to run after it.
    template <class Middleware>
    void use(Middleware middleware) {
        add_layer(detail::make_layer(std::move(middleware)));
    }

    /// Sets the handler that makes the response for a status from 400 to 599: `task<response>(request&, const
    /// failure&)`, or the same without `task` on the blocking pool. The response has the failure's status unless the
    /// handler sets another. If the handler fails, the built-in error page is sent.
    template <class Handler>
    void on_error(int code, Handler handler) {
        add_error_handler(code, detail::make_error_handler(std::move(handler)));
    }

    /// Adds a hook that runs before the first request: `task<void>()` on the loop, or `void()` on the blocking pool.
    /// Hooks run in the order they were added; if one fails, startup fails.
    template <class Hook>
    void on_start(Hook hook) {
        add_start_hook(detail::make_hook(std::move(hook)));
    }
    /// Adds a hook that runs after the last request. Hooks run in reverse order.
    template <class Hook>
    void on_stop(Hook hook) {
        add_stop_hook(detail::make_hook(std::move(hook)));
    }

    /// Runs a coroutine `task<void>()` in every worker process, alongside the views, from startup until shutdown
    /// cancels it; for example one that subscribes to channels. If it fails, it is logged and restarted with back-off
    /// (100 ms to 10 s).
    template <class F>
    void run_in_worker(std::string name, F function) {
        static_assert(std::is_same_v<std::invoke_result_t<F&>, task<void>>, "run_in_worker() takes a task<void>()");
        add_worker_task(std::move(name), detail::make_hook(std::move(function)));
    }
    /// Runs a function periodically, in one process of the server at a time: `task<void>()` on the loop or `void()` on
    /// the blocking pool. First runs after one interval; runs never overlap, missed runs are skipped, failures are
    /// logged. If the process that runs it ends, for whatever reason, another one takes over at its next interval.
    template <class F>
    void every(clock::duration interval, std::string name, F function) {
        add_periodic(interval, std::move(name), detail::make_hook(std::move(function)));
    }
    /// Returns the background group of this name, creating it on the first call; later calls ignore `options`. The
    /// group exists as long as the application. Callable from any thread.
    ///
    ///     app.background("mail").spawn(send_mail(address));
    [[nodiscard]] background_group& background(std::string_view name, background_options options = {});
    /// Adds a hook that runs in the arbiter before the first worker is forked, to set up what all workers share:
    /// immutable memory or a socket. It must not start threads. If it fails, startup fails. Not called with --workers
    /// 0.
    void on_arbiter_start(std::function<void()> hook);
    /// Adds a hook that runs in the new program's arbiter after a reload, before its workers are forked. Failures are
    /// logged.
    void on_reload(std::function<void()> hook);
    /// Adds a hook that runs before anything else for each request, on the loop (in thread and sync workers on the
    /// request's thread). It must not block. An exception is handled as if the view had thrown it.
    void before_request(std::function<void(request&)> hook);
    /// Adds a hook that runs at the end of each request, when its response was sent or abandoned. It must neither block
    /// nor throw.
    void after_request(std::function<void(const access_entry&)> hook);
    /// Runs the hooks of on_reload() if `reloaded`, those of on_arbiter_start() otherwise.
    void run_arbiter_hooks(bool reloaded) const;

    /// Declares a setting of the application: `--name`, `RONDO_NAME` and `name` in rondo.toml, shown by --help and
    /// `check`. The default determines the type: text, bool, number, a std::chrono duration or byte_size; `type` is the
    /// placeholder in --help. The name has lower-case letters, digits and '-' and must differ from the framework's
    /// settings (`check` reports a clash).
    ///
    ///     auto upstream = app.setting("upstream", "URL", "http://127.0.0.1:9000", "target of /upstream");
    template <class Default>
    [[nodiscard]] auto setting(std::string name, std::string type, Default default_value, std::string help,
                               std::source_location location = std::source_location::current()) {
        using value = decltype(detail::setting_type<Default>());
        auto declared =
            std::make_shared<detail::typed_setting<value>>(convert_default<value>(std::move(default_value)));
        declare_setting(declared, std::move(name), std::move(type), std::move(help), location);
        return rondo::setting<value>(declared);
    }
    /// Changes the default of a setting, the framework's or the application's, given as text:
    /// `app.set_default("threads", "64")`. The configuration file, the environment and flags override it.
    void set_default(std::string name, std::string value,
                     std::source_location location = std::source_location::current());
    /// Adds a command to the command line, next to `serve` and the other built-in ones: `task<int>()` on the loop or
    /// `int()` on the blocking pool, optionally taking command_arguments. It returns the exit status and runs in the
    /// started application, with all settings.
    template <class Function>
    command_options& command(const std::string& name, const std::string& help, Function function) {
        return add_command(detail::make_command(name, help, std::move(function)));
    }
    /// Returns the framework's settings that an application may need; complete once the command line has been parsed.
    [[nodiscard]] const app_settings& settings() const noexcept;

    /// Logs every response to `sink` when it ends; null turns the log off, at no cost. `sink` must outlive the
    /// application.
    void set_access_log(access_log_sink* sink) noexcept;

    /// Throws std::invalid_argument naming both routes when two routes are equivalent. startup() does the same.
    void check();
    /// Returns the routes in the order they were added, then those of mounted applications, with their prefix.
    [[nodiscard]] std::vector<route_info> routes() const;

    /// Used by the command line: what was declared here and in mounted applications.
    [[nodiscard]] std::vector<detail::declared_setting*> declared_settings() const;
    [[nodiscard]] std::vector<const detail::declared_command*> declared_commands() const;
    [[nodiscard]] std::vector<const detail::application_default*> application_defaults() const;
    void apply_settings(const app_settings& values);

    /// Used by a server with several processes: `is_leader` returns whether this process runs the periodic task of that
    /// name (every()). Called on the loop.
    void set_leader_check(std::function<bool(std::string_view name)> is_leader);
    /// Used by the server: sets until when stop_background() waits for background groups; 30 s by default.
    void set_background_deadline(instant deadline) noexcept;
    /// Stops what runs alongside requests: waits for background groups, then cancels them. Called first by shutdown().
    [[nodiscard]] task<void> stop_background();

    [[nodiscard]] task<void> startup() override;
    [[nodiscard]] task<void> shutdown() override;
    [[nodiscard]] task<void> serve(handler::request& from, handler::responder& to) override;
    void register_views(stats::worker_stats& server_stats) override;
    [[nodiscard]] std::optional<std::uint64_t> body_limit(handler::request& from) override;
    [[nodiscard]] task<void> refuse(handler::request& from, handler::responder& to, std::exception_ptr cause) override;
    void on_refused(handler::request& from, http::status code, std::uint64_t body_bytes) noexcept override;

    /// Used by the framework.
    [[nodiscard]] detail::app_state& state() noexcept { return *state_; }

private:
    template <class View, class... T>
    route_options& add_typed_route(std::initializer_list<http::method> methods, const path_for<View>& path, View view,
                                   detail::parameter_list<T...>) {
        const std::array<detail::accepts_function, sizeof...(T)> accepts{detail::accepts<T>()...};
        return add_route({methods.begin(), methods.size()}, path.pattern(), path.location(),
                         detail::erase_view(std::move(view)), accepts);
    }
    route_options& add_route(std::span<const http::method> methods, std::string_view pattern,
                             const std::source_location& location, detail::erased_view view,
                             std::span<const detail::accepts_function> accepts);
    template <class Value, class Default>
    static Value convert_default(Default default_value) {
        if constexpr (std::is_same_v<Value, std::chrono::milliseconds>)
            return std::chrono::duration_cast<std::chrono::milliseconds>(default_value);
        else return Value(std::move(default_value));
    }
    void declare_setting(std::shared_ptr<detail::declared_setting> setting, std::string name, std::string type,
                         std::string help, const std::source_location& location);
    command_options& add_command(detail::declared_command command);
    void add_layer(detail::layer layer);
    void add_error_handler(int code, detail::error_handler handler);
    void add_start_hook(detail::hook hook);
    void add_stop_hook(detail::hook hook);
    void add_worker_task(std::string name, detail::hook hook);
    void add_periodic(clock::duration interval, std::string name, detail::hook hook);

    std::unique_ptr<detail::app_state> state_;
};

}  // namespace rondo
