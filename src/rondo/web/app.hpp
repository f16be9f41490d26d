// SPDX-License-Identifier: Apache-2.0
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
#include <rondo/web/lifespan.hpp>
#include <rondo/web/middleware.hpp>
#include <rondo/web/routing/path.hpp>
#include <rondo/web/routing/view.hpp>
#include <rondo/web/setting.hpp>

namespace rondo {

namespace detail {
struct app_state;

/// A default that the application chose.
struct preferred_setting {
    std::string name;
    std::string value;
    std::source_location where;
};
}  // namespace detail

/// What can be said of one route beyond its path and view.
class route_options {
public:
    /// Bytes a request's body may have here, instead of the server's limit.
    route_options& body_limit(std::uint64_t bytes) noexcept { return body_limit_ = bytes, *this; }
    [[nodiscard]] std::uint64_t body_limit() const noexcept { return body_limit_; }

    static constexpr std::uint64_t server_limit = UINT64_MAX;

private:
    std::uint64_t body_limit_ = server_limit;
};

/// A route as `routes` and `check` print it.
struct route_info {
    std::string methods;  ///< "GET, HEAD"; "any"
    std::string pattern;
    view_kind kind;
    std::source_location where;
};

/// A web application: routes, middleware, what happens at errors, at the start and at the end. Filled before it runs;
/// from then on it does not change and may serve on several threads. Movable until it runs.
///
/// Routing. A path is matched segment by segment, each decoded by itself ("%2F" stays inside its segment). A text is
/// preferred to a parameter, among parameters uint, int, float, uuid, your own, slug, str, path; when the preferred one
/// leads nowhere the next is tried. HEAD is answered by the GET view (the server leaves the body out), OPTIONS with 204
/// and Allow unless a view does, "OPTIONS *" with 204. Another method than the routes of a path have, TRACE too, is 405
/// with Allow; CONNECT is 501. A slash at the end counts: "/a" and "/a/" are two paths, and a GET or HEAD
/// for the one that has no route is redirected (307) to the other if that has one.
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
    /// DELETE
    template <class View>
    route_options& del(path_for<std::type_identity_t<View>> path, View view) {
        return route({http::method::delete_}, path, std::move(view));
    }
    /// Every method but TRACE and CONNECT, unknown ones too. A route for one method goes before.
    template <class View>
    route_options& any(path_for<std::type_identity_t<View>> path, View view) {
        return route({}, path, std::move(view));
    }
    template <class View>
    route_options& route(std::initializer_list<http::method> methods, path_for<std::type_identity_t<View>> path,
                         View view) {
        return add_typed(methods, path, std::move(view), detail::parameters_of<View>{});
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

    /// Everything of `sub` under a prefix: its routes, within its middleware and this one's; its error handlers for its
    /// routes; its start and stop.
    void mount(path_prefix prefix, app sub);

    /// Middleware around everything that is answered (404 too), the first one outermost. See make_layer for the shapes:
    /// `task<response>(request&, next)`; or, on the blocking pool, `std::optional<response>(request&)` before the view,
    /// `response(request&, response)` after it.
    template <class Middleware>
    void use(Middleware middleware) {
        add_layer(detail::make_layer(std::move(middleware)));
    }

    /// Who makes the response for a status from 400 on: `task<response>(request&, const failure&)`, or without task on
    /// the blocking pool. It keeps the failure's status unless it sets another. If it fails, the built-in page is sent.
    template <class Handler>
    void on_error(int code, Handler handler) {
        add_error_handler(code, detail::make_error_handler(std::move(handler)));
    }

    /// Before the first request, in order: `task<void>()` on the loop, or `void()` on the blocking pool. A failure
    /// stops the start.
    template <class Hook>
    void on_start(Hook hook) {
        add_start(detail::make_hook(std::move(hook)));
    }
    /// After the last request, in reverse order.
    template <class Hook>
    void on_stop(Hook hook) {
        add_stop(detail::make_hook(std::move(hook)));
    }

    /// A coroutine `task<void>()` that runs beside the views, from the start until the end cancels it (in each
    /// process): one that listens to channels, say. When it fails that is logged and it is started again, after 100 ms
    /// and up to 10 s.
    template <class F>
    void beside(std::string name, F function) {
        static_assert(std::is_same_v<std::invoke_result_t<F&>, task<void>>, "beside() takes a task<void>()");
        add_beside(std::move(name), detail::make_hook(std::move(function)));
    }
    /// Something done again and again, once in the whole server and not in each of its processes: `task<void>()` on the
    /// loop or `void()` on the blocking pool. The first time after one interval; never twice at once; a failure is
    /// logged. When the process that does it ends, however it ends, another goes on at its next turn.
    template <class F>
    void every(clock::duration interval, std::string name, F function) {
        add_periodic(interval, std::move(name), detail::make_hook(std::move(function)));
    }
    /// The background group of this name, which lives as long as the application. Any thread. The options are those of
    /// the first call.
    ///
    ///     app.background("mail").spawn(send_mail(address));
    [[nodiscard]] background_group& background(std::string_view name, background_options options = {});
    /// In the arbiter before the first worker is forked: what all of them are to share, memory that does not change or
    /// a socket. No thread may be made. A failure stops the start. Not called with --workers 0.
    void on_arbiter_start(std::function<void()> hook);
    /// In the arbiter of the new program after a reload, before its workers are forked. A failure is logged.
    void on_reload(std::function<void()> hook);
    /// Before anything else is done for a request, on the loop (in threads and sync workers on the request's thread);
    /// must not block. What it throws is answered as if the view had thrown it.
    void before_request(std::function<void(request&)> hook);
    /// At the end of a request, when its response was sent or given up; must neither block nor throw.
    void after_request(std::function<void(const access_entry&)> hook);
    /// Calls the hooks of the arbiter.
    void in_arbiter(bool reloaded) const;

    /// A setting of the application's own: `--name`, `RONDO_NAME` and `name` in rondo.toml, in --help and `check`. The
    /// type follows from the default: text, bool, number, a std::chrono duration, byte_size; `type` is a word for
    /// --help. The name is lower case with '-', and none of the framework's (`check` says so).
    ///
    ///     auto upstream = app.setting("upstream", "URL", "http://127.0.0.1:9000", "where /upstream goes");
    template <class Default>
    [[nodiscard]] auto setting(std::string name, std::string type, Default standard, std::string help,
                               std::source_location where = std::source_location::current()) {
        using value = decltype(detail::setting_type<Default>());
        auto held = std::make_shared<detail::held_setting<value>>(as_value<value>(std::move(standard)));
        declare(held, std::move(name), std::move(type), std::move(help), where);
        return rondo::setting<value>(held);
    }
    /// Another default for a setting, the framework's or its own, as text: `app.prefer("threads", "64")`. What file,
    /// environment and flags say goes before it.
    void prefer(std::string name, std::string value, std::source_location where = std::source_location::current());
    /// A command of the command line besides `serve` and the others: `task<int>()` on the loop or `int()` on the
    /// blocking pool, perhaps with command_arguments; it returns the exit status. It runs in the started application,
    /// with all settings.
    template <class Function>
    command_options& command(const std::string& name, const std::string& help, Function function) {
        return add_command(detail::make_command(name, help, std::move(function)));
    }
    /// Settings of the framework that an application needs to know, once the command line was read.
    [[nodiscard]] const app_settings& settings() const noexcept;

    /// Every response is told to `sink`, at its end; null for none. Must outlive the application. Costs nothing when
    /// null.
    void access_log(access_log_sink* sink) noexcept;

    /// Throws std::invalid_argument with a sentence naming both when two routes are alike. startup() calls it.
    void check();
    /// In the order they were registered, then those of mounted applications, with their prefix.
    [[nodiscard]] std::vector<route_info> routes() const;

    /// For who reads the command line: what was declared here and in mounted applications.
    [[nodiscard]] std::vector<detail::declared_setting*> declared_settings() const;
    [[nodiscard]] std::vector<const detail::declared_command*> declared_commands() const;
    [[nodiscard]] std::vector<const detail::preferred_setting*> preferred_settings() const;
    void use_settings(const app_settings& chosen);

    /// For who runs several processes: says whether this one does what only one of them may do (every()). On the loop.
    void elect_with(std::function<bool(std::string_view name)> elect);
    /// For who ends the application: until when end_background() waits for background groups; 30 s otherwise.
    void background_until(instant end) noexcept;
    /// Ends what runs beside requests: waits for background groups, then cancels them. shutdown() begins with it.
    [[nodiscard]] task<void> end_background();

    [[nodiscard]] task<void> startup() override;
    [[nodiscard]] task<void> shutdown() override;
    [[nodiscard]] task<void> serve(handler::request& from, handler::responder& to) override;
    void count_in(stats::statistics& figures) override;
    [[nodiscard]] std::optional<std::uint64_t> body_limit(handler::request& from) override;
    [[nodiscard]] task<void> refuse(handler::request& from, handler::responder& to, std::exception_ptr why) override;
    void refused(handler::request& from, http::status code, std::uint64_t body_bytes) noexcept override;

    /// For the framework.
    [[nodiscard]] detail::app_state& state() noexcept { return *state_; }

private:
    template <class View, class... T>
    route_options& add_typed(std::initializer_list<http::method> methods, const path_for<View>& path, View view,
                             detail::parameter_list<T...>) {
        const std::array<detail::accepts_function, sizeof...(T)> accepts{detail::accepts<T>()...};
        return add({methods.begin(), methods.size()}, path.pattern(), path.where(), detail::box(std::move(view)),
                   accepts);
    }
    route_options& add(std::span<const http::method> methods, std::string_view pattern,
                       const std::source_location& where, detail::view_box view,
                       std::span<const detail::accepts_function> accepts);
    template <class Value, class Default>
    static Value as_value(Default standard) {
        if constexpr (std::is_same_v<Value, std::chrono::milliseconds>)
            return std::chrono::duration_cast<std::chrono::milliseconds>(standard);
        else return Value(std::move(standard));
    }
    void declare(std::shared_ptr<detail::declared_setting> setting, std::string name, std::string type,
                 std::string help, const std::source_location& where);
    command_options& add_command(detail::declared_command command);
    void add_layer(detail::layer layer);
    void add_error_handler(int code, detail::error_handler handler);
    void add_start(detail::hook hook);
    void add_stop(detail::hook hook);
    void add_beside(std::string name, detail::hook hook);
    void add_periodic(clock::duration interval, std::string name, detail::hook hook);

    std::unique_ptr<detail::app_state> state_;
};

}  // namespace rondo
