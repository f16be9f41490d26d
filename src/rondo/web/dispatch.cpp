// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/dispatch.hpp>

#include <optional>
#include <string>
#include <utility>

#include <rondo/web/app_state.hpp>
#include <rondo/web/run_on_pool.hpp>

namespace rondo::detail {
namespace {

// Coroutines that few requests enter are kept out of line: inlined, their frames would enlarge the frame of every
// waiting request.

/// Why no view matched; stored in the request until the innermost middleware has run.
struct unrouted {
    method_set allowed = 0;
    std::string redirect_to;
};

task<response> call_on_thread(const route_entry& route, request& req) {
    const pool_kind kind = route.view.kind == view_kind::cpu ? pool_kind::compute : pool_kind::blocking;
    return run_on_pool(req, kind,
                       [&route, &req] { return route.view.sync(route.view.view.get(), req, req.arguments()); });
}

// Reads the body first, so that a slow upload does not occupy a thread.
[[gnu::noinline]] task<response> read_and_call_on_thread(const route_entry& route, request& req) {
    co_await req.read_all();
    co_return co_await call_on_thread(route, req);
}

/// The path with its trailing slash added or removed, if that has a GET view; otherwise empty.
std::string slash_redirect_target(const app_state& app, const request& req) {
    const std::string_view path = req.raw_path();
    const bool is_read = req.method() == http::method::get || req.method() == http::method::head;
    if (!is_read || path.size() < 2 || path.starts_with("//")) return {};
    std::string other(path);
    if (other.back() == '/') other.pop_back();
    else other += '/';
    if (app.route_table.find(http::method::get, other, req.memory()).route == nullptr) return {};
    if (!req.raw_query().empty()) other.append("?").append(req.raw_query());
    return other;
}

[[gnu::noinline]] task<response> make_unrouted_response(const app_state& app, request& req, unrouted reason) {
    if (!reason.redirect_to.empty()) co_return redirect(reason.redirect_to, 307);
    const bool server_wide = req.raw_path() == "*";
    if (req.method() == http::method::options && (reason.allowed != 0 || server_wide)) {
        co_return no_content().field("Allow", method_names(server_wide ? any_method : reason.allowed));
    }
    failure f{.code = http::status::not_found};
    if (req.method() == http::method::connect) {
        f.code = http::status::not_implemented;
        response refusal = co_await make_failure_response(app, req, std::move(f));
        co_return std::move(refusal).close();
    }
    if (reason.allowed != 0) {
        f.code = http::status::method_not_allowed;
        f.allow = method_names(reason.allowed);
    }
    co_return co_await make_failure_response(app, req, std::move(f));
}

task<response> call_route(const app_state& app, request& req) {
    if (const route_entry* route = req.matched_route()) return call_view(*route, req);
    return make_unrouted_response(app, req, std::move(req.local<unrouted>()));
}

/// The fields of the response, for an access log sink that needs them.
struct access_fields {
    std::optional<response_fields> fields;
};

[[gnu::noinline]] void record_access_fields(request& req, const handler::response_head& head) {
    arena& memory = req.memory();
    req.local<access_fields>().fields = {memory.copy(head.content_type),
                                         memory.copy(head.fields ? head.fields->wire() : std::string_view())};
}

/// Sends the response for a failure that no middleware handled. Returns false when the connection is aborted instead.
[[gnu::noinline]] task<bool> send_failure(const app_state& app, request& req, handler::responder& to,
                                          std::exception_ptr cause) {
    log_failure(req, cause);
    if (to.has_started() || req.token().reason() == cancel_reason::disconnected) {
        to.abort_with(to_failure(cause).code);
        co_return false;
    }
    const app_state& owner = req.matched_route() != nullptr ? *req.matched_route()->owner : app;
    std::exception_ptr second_cause;
    try {
        failure f = to_failure(cause);
        response r = co_await make_failure_response(owner, req, std::move(f));
        if (app.access_log != nullptr && app.access_log->needs_response_fields()) record_access_fields(req, r.head());
        co_await send_response(r, to, req);
    } catch (...) {
        second_cause = std::current_exception();
    }
    if (!second_cause) co_return true;
    log_failure(req, second_cause);
    to.abort();
    co_return false;
}

[[gnu::noinline]] void log_access(const app_state& app, request& req, const handler::responder& to, bool complete) {
    const bool started = to.has_started();
    const access_fields* recorded = req.local_or_null<access_fields>();
    const access_entry entry{&req,
                             started ? to.code() : http::status{},
                             started ? to.body_bytes() : 0,
                             clock::now() - req.arrived(),
                             !complete,
                             recorded != nullptr && recorded->fields ? &*recorded->fields : nullptr};
    if (app.access_log != nullptr) app.access_log->write(entry);
    for (const auto& hook : app.after_request) hook(entry);
}

bool is_logged(const app_state& app) noexcept { return app.access_log != nullptr || !app.after_request.empty(); }

}  // namespace

task<response> call_view(const route_entry& route, request& req) {
    if (route.options.body_limit() != route_options::server_limit) req.body().limit(route.options.body_limit());
    if (route.view.async != nullptr) return route.view.async(route.view.view.get(), req, req.arguments());
    if (route.view.isolated != nullptr) return call_isolated(route, req);
    return req.body().is_at_end() ? call_on_thread(route, req) : read_and_call_on_thread(route, req);
}

[[gnu::noinline]] task<response> call_next(const middleware_chain& chain, std::size_t index, request& req) {
    std::exception_ptr cause;
    try {
        if (index == chain.layers.size()) co_return co_await call_route(*chain.owner, req);
        const layer& l = *chain.layers[index];
        co_return co_await l.call(l.object.get(), req, next(chain, index + 1));
    } catch (const cancelled&) {
        throw;
    } catch (...) {
        cause = std::current_exception();
    }
    log_failure(req, cause);
    failure f = to_failure(cause);
    co_return co_await make_failure_response(*chain.owner, req, std::move(f));
}

task<response> make_response(const app_state& app, request& req) {
    const match found = app.route_table.find(req.method(), req.raw_path(), req.memory());
    if (found.route != nullptr) {
        req.set_route(*found.route, found.arguments);
        handler::request& from = req.server_request();
        from.view_row = found.route->stats_row.load(std::memory_order_relaxed);
        if (from.has_own_thread) from.enter(stats::request_state::pool_thread);
        if (task_context* context = req.server_request().context) context->name = found.route->pattern;
        const middleware_chain& chain = found.route->owner->middleware;
        return chain.layers.empty() ? call_view(*found.route, req) : call_next(chain, 0, req);
    }
    unrouted reason{found.allowed, found.allowed == 0 ? slash_redirect_target(app, req) : std::string()};
    if (app.middleware.layers.empty()) return make_unrouted_response(app, req, std::move(reason));
    req.local<unrouted>() = std::move(reason);
    return call_next(app.middleware, 0, req);
}

[[gnu::noinline]] task<void> send_response(response& r, handler::responder& to, request& req) {
    const handler::response_head head = r.head();
    if (auto* const source = std::get_if<std::unique_ptr<body_source>>(&r.body()); source != nullptr && *source) {
        co_await (*source)->send(to, head, req);
        co_return;
    }
    const std::string_view text = r.text();
    if (text.size() <= handler::responder::small_body_limit) {
        to.respond(head, text);
        co_return;
    }
    to.start(head, text.size());
    if (to.needs_body()) co_await to.write(text);
    to.finish();
}

task<void> handle_request(const app_state& app, handler::request& from, handler::responder& to) {
    request req(from);
    std::exception_ptr cause;
    try {
        for (const auto& hook : app.before_request) hook(req);
        task<response> responding = make_response(app, req);
        response& r = co_await responding.in_place();
        if (app.access_log != nullptr && app.access_log->needs_response_fields()) record_access_fields(req, r.head());
        const std::string_view text = r.text();
        const bool in_memory = !std::holds_alternative<std::unique_ptr<body_source>>(r.body());
        if (in_memory && text.size() <= handler::responder::small_body_limit) to.respond(r.head(), text);
        else co_await send_response(r, to, req);
    } catch (...) {
        cause = std::current_exception();
    }
    const bool complete = !cause || co_await send_failure(app, req, to, cause);
    if (is_logged(app)) log_access(app, req, to, complete);
}

task<void> handle_failure(const app_state& app, handler::request& from, handler::responder& to,
                          std::exception_ptr cause) {
    request req(from);
    try {
        const match found = app.route_table.find(req.method(), req.raw_path(), req.memory());
        if (found.route != nullptr) req.set_route(*found.route, found.arguments);
    } catch (const http_error&) {
        // An invalid path: respond with the original failure.
    }
    const bool complete = co_await send_failure(app, req, to, cause);
    if (is_logged(app)) log_access(app, req, to, complete);
}

}  // namespace rondo::detail
