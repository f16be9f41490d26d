// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/app.hpp>

#include <stdexcept>

#include <rondo/loop/pool.hpp>
#include <rondo/web/app_state.hpp>
#include <rondo/web/dispatch.hpp>

namespace rondo {
namespace detail {
namespace {

void add_routes(router& to, app_state& from) {
    for (const auto& route : from.routes) {
        route->owner = &from;
        to.add(*route);
    }
    for (const auto& sub : from.mounted) add_routes(to, *sub);
}

void collect_layers(app_state& app, const app_state* parent) {
    app.parent = parent;
    app.around.owner = &app;
    app.around.items = parent != nullptr ? parent->around.items : std::vector<const layer*>();
    for (const layer& own : app.own_layers) app.around.items.push_back(&own);
    for (const auto& sub : app.mounted) collect_layers(*sub, &app);
}

void add_prefix(app_state& app, std::string_view prefix) {
    for (const auto& route : app.routes) route->pattern.insert(0, prefix);
    for (const auto& sub : app.mounted) add_prefix(*sub, prefix);
}

std::string methods_of(const route_entry& route) {
    if (route.any) return "any";
    const bool head = (route.methods & bit(http::method::get)) != 0;
    return names_of(route.methods | (head ? bit(http::method::head) : method_set{}));
}

template <class Hooks>
void append(Hooks& to, Hooks& from) {
    to.insert(to.end(), from.begin(), from.end());
    from.clear();
}

// Request hooks run for every request, including those without a route, so the outermost application has them.
void take_request_hooks(app_state& to, app_state& from) {
    append(to.before, from.before);
    append(to.after, from.after);
}

void list_routes(const app_state& app, std::vector<route_info>& to) {
    for (const auto& route : app.routes)
        to.push_back({methods_of(*route), route->pattern, route->view.kind, route->where});
    for (const auto& sub : app.mounted) list_routes(*sub, to);
}

void take_rows(const app_state& app, stats::statistics& server_stats) {
    for (const auto& route : app.routes) {
        const std::string methods = methods_of(*route);
        route->row.store(
            server_stats.row_of({.pattern = route->pattern, .methods = methods, .kind = to_string(route->view.kind)}),
            std::memory_order_relaxed);
        if (route->view.isolated) count_isolated(*route->view.isolated, server_stats);
    }
    for (const auto& sub : app.mounted) take_rows(*sub, server_stats);
}

task<void> run_starts(const app_state& app) {
    for (const hook& h : app.starts) co_await run_hook(h);
    for (const auto& sub : app.mounted) co_await run_starts(*sub);
}

task<void> run_stops(const app_state& app) {
    for (auto sub = app.mounted.rbegin(); sub != app.mounted.rend(); ++sub) co_await run_stops(**sub);
    for (auto h = app.stops.rbegin(); h != app.stops.rend(); ++h) co_await run_hook(*h);
}

void start_companions(app_state& app, const companions::election& is_leader) {
    app.beside.start(is_leader);
    for (const auto& sub : app.mounted) start_companions(*sub, is_leader);
}

task<void> end_companions(app_state& app, instant deadline) {
    for (auto sub = app.mounted.rbegin(); sub != app.mounted.rend(); ++sub) co_await end_companions(**sub, deadline);
    co_await app.beside.end(deadline);
}

task<void> start(app_state& app) {
    app.prepare();
    co_await run_starts(app);
    start_companions(app, app.elect);
}

task<void> end_background(app_state& app) {
    constexpr auto default_time = std::chrono::seconds(30);
    return end_companions(app, app.background_until.value_or(from_now(default_time)));
}

task<void> end(app_state& app) {
    co_await end_background(app);
    co_await run_stops(app);
}

}  // namespace

void app_state::prepare() {
    if (prepared) return;
    router fresh;
    add_routes(fresh, *this);
    to_views = std::move(fresh);
    collect_layers(*this, nullptr);
    prepared = true;
}

void app_state::require_not_running(const char* action) const {
    if (prepared) throw std::logic_error("cannot " + std::string(action) + " after the application has started");
}

const error_handler* app_state::handler_for(http::status code) const noexcept {
    for (const app_state* app = this; app != nullptr; app = app->parent) {
        for (const auto& [status, handler] : app->error_handlers) {
            if (status == http::to_int(code)) return &handler;
        }
    }
    return nullptr;
}

}  // namespace detail

app::app() : state_(std::make_unique<detail::app_state>()) {}
app::app(app&&) noexcept = default;
app& app::operator=(app&&) noexcept = default;
app::~app() = default;

route_options& app::add(std::span<const http::method> methods, std::string_view pattern,
                        const std::source_location& location, detail::view_box view,
                        std::span<const detail::accepts_function> accepts) {
    state_->require_not_running("add routes");
    auto route = std::make_unique<detail::route_entry>();
    route->pattern = pattern;
    const detail::pattern_parameters parameters(pattern);
    for (std::size_t i = 0; i < parameters.count; ++i) route->parameters.emplace_back(parameters.items[i].name);
    route->accepts.assign(accepts.begin(), accepts.end());
    for (const http::method m : methods) route->methods |= detail::bit(m);
    if (route->methods & (detail::bit(http::method::connect) | detail::bit(http::method::trace))) {
        throw std::invalid_argument("route '" + route->pattern + "': CONNECT and TRACE cannot have views");
    }
    route->any = methods.empty();
    route->view = std::move(view);
    route->where = location;
    state_->routes.push_back(std::move(route));
    return state_->routes.back()->options;
}

void app::mount(path_prefix prefix, app sub) {
    state_->require_not_running("mount applications");
    sub.state_->require_not_running("mount applications");
    detail::add_prefix(*sub.state_, prefix.text());
    detail::take_request_hooks(*state_, *sub.state_);
    state_->mounted.push_back(std::move(sub.state_));
}

void app::add_layer(detail::layer layer) {
    state_->require_not_running("add middleware");
    state_->own_layers.push_back(std::move(layer));
}

void app::add_error_handler(int code, detail::error_handler handler) {
    state_->require_not_running("add error handlers");
    if (code < 400 || code > 599) {
        throw std::invalid_argument("on_error(): invalid status " + std::to_string(code) + "; expected 400 to 599");
    }
    std::erase_if(state_->error_handlers, [&](const auto& other) { return other.first == code; });
    state_->error_handlers.emplace_back(code, std::move(handler));
}

void app::add_start(detail::hook hook) {
    state_->require_not_running("add hooks");
    state_->starts.push_back(std::move(hook));
}

void app::add_stop(detail::hook hook) {
    state_->require_not_running("add hooks");
    state_->stops.push_back(std::move(hook));
}

void app::add_beside(std::string name, detail::hook hook) {
    state_->require_not_running("add worker tasks");
    state_->beside.add_beside(std::move(name), std::move(hook));
}

void app::add_periodic(clock::duration interval, std::string name, detail::hook hook) {
    state_->require_not_running("add periodic tasks");
    if (interval <= clock::duration::zero())
        throw std::invalid_argument("every(): the interval of '" + name + "' must be positive");
    state_->beside.add_periodic(std::move(name), std::move(hook), interval);
}

background_group& app::background(std::string_view name, background_options options) {
    return state_->beside.group(name, options);
}

void app::elect_with(std::function<bool(std::string_view)> is_leader) { state_->elect = std::move(is_leader); }
void app::background_until(instant deadline) noexcept { state_->background_until = deadline; }

void app::access_log(access_log_sink* sink) noexcept { state_->log = sink; }

void app::check() {
    detail::router fresh;
    detail::add_routes(fresh, *state_);
}

std::vector<route_info> app::routes() const {
    std::vector<route_info> all;
    detail::list_routes(*state_, all);
    return all;
}

task<void> app::startup() { return detail::start(*state_); }
task<void> app::end_background() { return detail::end_background(*state_); }
task<void> app::shutdown() { return detail::end(*state_); }
task<void> app::serve(handler::request& from, handler::responder& to) { return detail::answer(*state_, from, to); }
void app::refused(handler::request& from, http::status code, std::uint64_t body_bytes) noexcept {
    if (state_->log == nullptr) return;
    request req(from);
    state_->log->write({&req, code, body_bytes, clock::duration::zero(), false});
}
void app::count_in(stats::statistics& server_stats) { detail::take_rows(*state_, server_stats); }

std::optional<std::uint64_t> app::body_limit(handler::request& from) {
    detail::match found;
    try {
        found = state_->to_views.find(from.method, from.path, *from.memory);
    } catch (const http_error&) {
        // serve() responds with the error in the path.
    }
    if (found.route == nullptr) return 0;
    const std::uint64_t limit = found.route->options.body_limit();
    return limit == route_options::server_limit ? std::nullopt : std::optional(limit);
}

task<void> app::refuse(handler::request& from, handler::responder& to, std::exception_ptr cause) {
    return detail::answer_failure(*state_, from, to, std::move(cause));
}

}  // namespace rondo
