// SPDX-License-Identifier: Apache-2.0
#include <rondo/web/app.hpp>

#include <stdexcept>

#include <rondo/loop/thread_pool.hpp>
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
    app.middleware.owner = &app;
    app.middleware.layers = parent != nullptr ? parent->middleware.layers : std::vector<const layer*>();
    for (const layer& own : app.own_layers) app.middleware.layers.push_back(&own);
    for (const auto& sub : app.mounted) collect_layers(*sub, &app);
}

void add_prefix(app_state& app, std::string_view prefix) {
    for (const auto& route : app.routes) route->pattern.insert(0, prefix);
    for (const auto& sub : app.mounted) add_prefix(*sub, prefix);
}

std::string methods_of(const route_entry& route) {
    if (route.any) return "any";
    const bool head = (route.methods & method_bit(http::method::get)) != 0;
    return method_names(route.methods | (head ? method_bit(http::method::head) : method_set{}));
}

template <class Hooks>
void append(Hooks& to, Hooks& from) {
    to.insert(to.end(), from.begin(), from.end());
    from.clear();
}

// Request hooks run for every request, including those without a route, so the outermost application has them.
void move_request_hooks(app_state& to, app_state& from) {
    append(to.before_request, from.before_request);
    append(to.after_request, from.after_request);
}

void append_routes(const app_state& app, std::vector<route_info>& to) {
    for (const auto& route : app.routes)
        to.push_back({methods_of(*route), route->pattern, route->view.kind, route->location});
    for (const auto& sub : app.mounted) append_routes(*sub, to);
}

void register_stats(const app_state& app, stats::worker_stats& server_stats) {
    for (const auto& route : app.routes) {
        const std::string methods = methods_of(*route);
        route->stats_row.store(
            server_stats.view_row({.pattern = route->pattern, .methods = methods, .kind = to_string(route->view.kind)}),
            std::memory_order_relaxed);
        if (route->view.isolated) register_isolated_stats(*route->view.isolated, server_stats);
    }
    for (const auto& sub : app.mounted) register_stats(*sub, server_stats);
}

task<void> run_start_hooks(const app_state& app) {
    for (const hook& h : app.start_hooks) co_await run_hook(h);
    for (const auto& sub : app.mounted) co_await run_start_hooks(*sub);
}

task<void> run_stop_hooks(const app_state& app) {
    for (auto sub = app.mounted.rbegin(); sub != app.mounted.rend(); ++sub) co_await run_stop_hooks(**sub);
    for (auto h = app.stop_hooks.rbegin(); h != app.stop_hooks.rend(); ++h) co_await run_hook(*h);
}

void start_lifespan_tasks(app_state& app, const lifespan_tasks::leader_check& is_leader) {
    app.tasks.start(is_leader);
    for (const auto& sub : app.mounted) start_lifespan_tasks(*sub, is_leader);
}

task<void> stop_lifespan_tasks(app_state& app, instant deadline) {
    for (auto sub = app.mounted.rbegin(); sub != app.mounted.rend(); ++sub)
        co_await stop_lifespan_tasks(**sub, deadline);
    co_await app.tasks.stop(deadline);
}

task<void> start_app(app_state& app) {
    app.prepare();
    co_await run_start_hooks(app);
    start_lifespan_tasks(app, app.is_leader);
}

task<void> stop_background_tasks(app_state& app) {
    constexpr auto default_time = std::chrono::seconds(30);
    return stop_lifespan_tasks(app, app.background_deadline.value_or(from_now(default_time)));
}

task<void> stop_app(app_state& app) {
    co_await stop_background_tasks(app);
    co_await run_stop_hooks(app);
}

}  // namespace

void app_state::prepare() {
    if (prepared) return;
    router table;
    add_routes(table, *this);
    route_table = std::move(table);
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

route_options& app::add_route(std::span<const http::method> methods, std::string_view pattern,
                              const std::source_location& location, detail::erased_view view,
                              std::span<const detail::accepts_function> accepts) {
    state_->require_not_running("add routes");
    auto route = std::make_unique<detail::route_entry>();
    route->pattern = pattern;
    const detail::pattern_parameters parameters(pattern);
    for (std::size_t i = 0; i < parameters.count; ++i) route->parameters.emplace_back(parameters.items[i].name);
    route->accepts.assign(accepts.begin(), accepts.end());
    for (const http::method m : methods) route->methods |= detail::method_bit(m);
    if (route->methods & (detail::method_bit(http::method::connect) | detail::method_bit(http::method::trace))) {
        throw std::invalid_argument("route '" + route->pattern + "': CONNECT and TRACE cannot have views");
    }
    route->any = methods.empty();
    route->view = std::move(view);
    route->location = location;
    state_->routes.push_back(std::move(route));
    return state_->routes.back()->options;
}

void app::mount(path_prefix prefix, app sub) {
    state_->require_not_running("mount applications");
    sub.state_->require_not_running("mount applications");
    detail::add_prefix(*sub.state_, prefix.text());
    detail::move_request_hooks(*state_, *sub.state_);
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

void app::add_start_hook(detail::hook hook) {
    state_->require_not_running("add hooks");
    state_->start_hooks.push_back(std::move(hook));
}

void app::add_stop_hook(detail::hook hook) {
    state_->require_not_running("add hooks");
    state_->stop_hooks.push_back(std::move(hook));
}

void app::add_worker_task(std::string name, detail::hook hook) {
    state_->require_not_running("add worker tasks");
    state_->tasks.add_task(std::move(name), std::move(hook));
}

void app::add_periodic(clock::duration interval, std::string name, detail::hook hook) {
    state_->require_not_running("add periodic tasks");
    if (interval <= clock::duration::zero())
        throw std::invalid_argument("every(): the interval of '" + name + "' must be positive");
    state_->tasks.add_periodic(std::move(name), std::move(hook), interval);
}

background_group& app::background(std::string_view name, background_options options) {
    return state_->tasks.group(name, options);
}

void app::set_leader_check(std::function<bool(std::string_view)> is_leader) {
    state_->is_leader = std::move(is_leader);
}
void app::set_background_deadline(instant deadline) noexcept { state_->background_deadline = deadline; }

void app::set_access_log(access_log_sink* sink) noexcept { state_->access_log = sink; }

void app::check() {
    detail::router table;
    detail::add_routes(table, *state_);
}

std::vector<route_info> app::routes() const {
    std::vector<route_info> result;
    detail::append_routes(*state_, result);
    return result;
}

task<void> app::startup() { return detail::start_app(*state_); }
task<void> app::stop_background() { return detail::stop_background_tasks(*state_); }
task<void> app::shutdown() { return detail::stop_app(*state_); }
task<void> app::serve(handler::request& from, handler::responder& to) {
    return detail::handle_request(*state_, from, to);
}
void app::on_refused(handler::request& from, http::status code, std::uint64_t body_bytes) noexcept {
    if (state_->access_log == nullptr) return;
    request req(from);
    state_->access_log->write({&req, code, body_bytes, clock::duration::zero(), false});
}
void app::register_views(stats::worker_stats& server_stats) { detail::register_stats(*state_, server_stats); }

std::optional<std::uint64_t> app::body_limit(handler::request& from) {
    detail::match found;
    try {
        found = state_->route_table.find(from.method, from.path, *from.memory);
    } catch (const http_error&) {
        // serve() responds with the error in the path.
    }
    if (found.route == nullptr) return 0;
    const std::uint64_t limit = found.route->options.body_limit();
    return limit == route_options::server_limit ? std::nullopt : std::optional(limit);
}

task<void> app::refuse(handler::request& from, handler::responder& to, std::exception_ptr cause) {
    return detail::handle_failure(*state_, from, to, std::move(cause));
}

}  // namespace rondo
