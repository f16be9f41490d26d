// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>
#include <utility>

#include <rondo/handler/offload_timer.hpp>
#include <rondo/loop/pool.hpp>
#include <rondo/web/app_state.hpp>

namespace rondo::detail {
namespace {

// Coroutines that most requests never enter are kept out of line: inlined, their frames would become part of the frame
// that every waiting request holds.

/// Why no view was called; kept in the request for the end of the middleware.
struct unrouted {
    method_set allowed = 0;
    std::string redirect_to;
};

[[gnu::noinline]] task<response> call_on_thread(const route_entry& route, request& req) {
    // Before a thread is taken: a slow upload holds none.
    if (!req.body().ended()) co_await req.read_all();
    const bool computes = route.view.kind == view_kind::cpu;
    event_loop& loop = event_loop::current();
    thread_pool* const pool = computes ? loop.compute() : loop.blocking();
    const auto here = [&route, &req] { return route.view.sync(route.view.view.get(), req, req.arguments()); };
    if (pool == nullptr) co_return co_await run_on(nullptr, here);
    handler::thread_hop hop(req.received(), computes ? stats::place::compute_queue : stats::place::pool_queue);
    const auto call = [&here, &hop, computes] {
        const handler::thread_hop::stay stay(hop, computes ? stats::place::compute_thread : stats::place::pool_thread);
        return here();
    };
    co_return co_await pool->run(call);
}

/// The path with or without its last slash, when that has a view for GET.
std::string other_slash(const app_state& app, const request& req) {
    const std::string_view path = req.raw_path();
    const bool asks = req.method() == http::method::get || req.method() == http::method::head;
    if (!asks || path.size() < 2 || path.starts_with("//")) return {};
    std::string other(path);
    if (other.back() == '/') other.pop_back();
    else other += '/';
    if (app.to_views.find(http::method::get, other, req.memory()).route == nullptr) return {};
    if (!req.raw_query().empty()) other.append("?").append(req.raw_query());
    return other;
}

[[gnu::noinline]] task<response> answer_unrouted(const app_state& app, request& req, unrouted why) {
    if (!why.redirect_to.empty()) co_return redirect(why.redirect_to, 307);
    const bool server_itself = req.raw_path() == "*";
    if (req.method() == http::method::options && (why.allowed != 0 || server_itself)) {
        co_return no_content().field("Allow", names_of(server_itself ? any_method : why.allowed));
    }
    failure f{.code = http::status::not_found};
    if (req.method() == http::method::connect) {
        f.code = http::status::not_implemented;
        response refusal = co_await response_of(app, req, std::move(f));
        co_return std::move(refusal).close();
    }
    if (why.allowed != 0) {
        f.code = http::status::method_not_allowed;
        f.allow = names_of(why.allowed);
    }
    co_return co_await response_of(app, req, std::move(f));
}

task<response> call_innermost(const app_state& app, request& req) {
    if (const route_entry* route = req.matched_route()) return call_view(*route, req);
    return answer_unrouted(app, req, std::move(req.local<unrouted>()));
}

/// For a sink that wants to know the fields of the response.
struct noted_fields {
    std::optional<response_fields> fields;
};

[[gnu::noinline]] void note_fields(request& req, const handler::response_head& head) {
    arena& memory = req.memory();
    req.local<noted_fields>().fields = {memory.copy(head.content_type),
                                        memory.copy(head.fields ? head.fields->wire() : std::string_view())};
}

/// What the client gets for a failure that nobody turned into a response. False when it is an aborted connection.
[[gnu::noinline]] task<bool> send_failure(const app_state& app, request& req, handler::responder& to,
                                          std::exception_ptr cause) {
    report(req, cause);
    if (to.begun() || req.token().reason() == cancel_reason::disconnected) {
        to.abort_as(failure_of(cause).code);
        co_return false;
    }
    const app_state& owner = req.matched_route() != nullptr ? *req.matched_route()->owner : app;
    std::exception_ptr again;
    try {
        failure f = failure_of(cause);
        response r = co_await response_of(owner, req, std::move(f));
        if (app.log != nullptr && app.log->wants_response_fields()) note_fields(req, r.head());
        co_await send(r, to, req);
    } catch (...) {
        again = std::current_exception();
    }
    if (!again) co_return true;
    report(req, again);
    to.abort();
    co_return false;
}

[[gnu::noinline]] void tell_end(const app_state& app, request& req, const handler::responder& to, bool complete) {
    const bool begun = to.begun();
    const noted_fields* noted = req.local_if_made<noted_fields>();
    const access_entry entry{&req,
                             begun ? to.code() : http::status{},
                             begun ? to.body_bytes() : 0,
                             clock::now() - req.arrived(),
                             !complete,
                             noted != nullptr && noted->fields ? &*noted->fields : nullptr};
    if (app.log != nullptr) app.log->write(entry);
    for (const auto& hook : app.after) hook(entry);
}

bool is_told(const app_state& app) noexcept { return app.log != nullptr || !app.after.empty(); }

}  // namespace

task<response> call_view(const route_entry& route, request& req) {
    if (route.options.body_limit() != route_options::server_limit) req.body().limit(route.options.body_limit());
    if (route.view.async != nullptr) return route.view.async(route.view.view.get(), req, req.arguments());
    if (route.view.isolated != nullptr) return call_isolated(route, req);
    return call_on_thread(route, req);
}

[[gnu::noinline]] task<response> call_inner(const layers& in, std::size_t at, request& req) {
    std::exception_ptr cause;
    try {
        if (at == in.items.size()) co_return co_await call_innermost(*in.owner, req);
        const layer& l = *in.items[at];
        co_return co_await l.call(l.object.get(), req, next(in, at + 1));
    } catch (const cancelled&) {
        throw;
    } catch (...) {
        cause = std::current_exception();
    }
    report(req, cause);
    failure f = failure_of(cause);
    co_return co_await response_of(*in.owner, req, std::move(f));
}

task<response> respond(const app_state& app, request& req) {
    const match found = app.to_views.find(req.method(), req.raw_path(), req.memory());
    if (found.route != nullptr) {
        req.matched(*found.route, found.arguments);
        handler::request& from = req.received();
        from.view = found.route->row.load(std::memory_order_relaxed);
        if (from.on_thread) from.goes(stats::place::pool_thread);
        if (context* in = req.received().running_in) in->activity = found.route->pattern;
        const layers& around = found.route->owner->around;
        return around.items.empty() ? call_view(*found.route, req) : call_inner(around, 0, req);
    }
    unrouted why{found.allowed, found.allowed == 0 ? other_slash(app, req) : std::string()};
    if (app.around.items.empty()) return answer_unrouted(app, req, std::move(why));
    req.local<unrouted>() = std::move(why);
    return call_inner(app.around, 0, req);
}

[[gnu::noinline]] task<void> send(response& r, handler::responder& to, request& req) {
    const handler::response_head head = r.head();
    if (auto* const source = std::get_if<std::unique_ptr<body_source>>(&r.body()); source != nullptr && *source) {
        co_await (*source)->send(to, head, req);
        co_return;
    }
    const std::string_view text = r.text();
    if (text.size() <= handler::responder::small_body) {
        to.respond(head, text);
        co_return;
    }
    to.begin(head, text.size());
    if (to.body_wanted()) co_await to.write(text);
    to.finish();
}

task<void> answer(const app_state& app, handler::request& from, handler::responder& to) {
    request req(from);
    std::exception_ptr cause;
    try {
        for (const auto& hook : app.before) hook(req);
        task<response> responding = respond(app, req);
        response& r = co_await responding.in_place();
        if (app.log != nullptr && app.log->wants_response_fields()) note_fields(req, r.head());
        const std::string_view text = r.text();
        const bool in_memory = !std::holds_alternative<std::unique_ptr<body_source>>(r.body());
        if (in_memory && text.size() <= handler::responder::small_body) to.respond(r.head(), text);
        else co_await send(r, to, req);
    } catch (...) {
        cause = std::current_exception();
    }
    const bool complete = !cause || co_await send_failure(app, req, to, cause);
    if (is_told(app)) tell_end(app, req, to, complete);
}

task<void> answer_failure(const app_state& app, handler::request& from, handler::responder& to,
                          std::exception_ptr why) {
    request req(from);
    try {
        const match found = app.to_views.find(req.method(), req.raw_path(), req.memory());
        if (found.route != nullptr) req.matched(*found.route, found.arguments);
    } catch (const http_error&) {
        // A path that leads nowhere: the failure is the answer all the same.
    }
    const bool complete = co_await send_failure(app, req, to, why);
    if (is_told(app)) tell_end(app, req, to, complete);
}

}  // namespace rondo::detail
