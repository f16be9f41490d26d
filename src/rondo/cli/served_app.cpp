// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/served_app.hpp>

#include <cstddef>
#include <exception>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include <rondo/cli/compute_processes.hpp>
#include <rondo/cli/run_command.hpp>
#include <rondo/cli/settings/load_settings.hpp>
#include <rondo/cli/worker_pools.hpp>
#include <rondo/codec/redact.hpp>
#include <rondo/loop/loop.hpp>
#include <rondo/loop/thread_pool.hpp>
#include <rondo/web/app.hpp>

namespace rondo::cli {

namespace {

setting_row to_row(detail::declared_setting& declared) {
    setting_row row;
    row.name = declared.name;
    row.type = declared.type;
    row.help = declared.help;
    row.group = "Application";
    row.declared_at = location_text(declared.location);
    row.shape = declared.is_flag() ? row_shape::on_off : row_shape::value;
    row.is_secret =
        declared.type == "SECRET" || (row.shape == row_shape::value && codec::is_secret_name(declared.name));
    row.default_value = row.is_secret ? "" : redacted_value(row, declared.default_text);
    row.parse = [&declared](server_settings&, std::span<const std::string> texts) { declared.parse(texts.back()); };
    row.to_text = [&declared](const server_settings&) { return declared.text(); };
    return row;
}

task<int> call_command(const detail::declared_command& command, command_arguments arguments) {
    if (command.async) co_return co_await command.async(command.object.get(), arguments);
    const auto run = [&command, arguments] { return command.sync(command.object.get(), arguments); };
    co_return co_await event_loop::current().blocking()->run(run);
}

task<int> run_with_hooks(app& application, const detail::declared_command& command, command_arguments arguments) {
    if (!command.options.has_lifespan()) co_return co_await call_command(command, arguments);
    co_await application.startup();
    int status = 0;
    std::exception_ptr failure;
    try {
        status = co_await call_command(command, arguments);
    } catch (...) {
        failure = std::current_exception();
    }
    co_await application.shutdown();
    if (failure) std::rethrow_exception(failure);
    co_return status;
}

}  // namespace

std::vector<setting_row> served_app::setting_rows() {
    std::vector<setting_row> rows;
    for (detail::declared_setting* declared : app_.declared_settings()) rows.push_back(to_row(*declared));
    return rows;
}

setting_source served_app::default_values(std::span<const setting_row> rows) {
    setting_source out;
    for (const detail::application_default* declared : app_.application_defaults()) {
        const std::string location = location_text(declared->location);
        const setting_row* row = find_row(rows, declared->name);
        if (row) out.add(*row, declared->value, fmt::format("{}: set_default(\"{}\")", location, row->name), location);
        else {
            out.errors.push_back(fmt::format(
                "{}: set_default(\"{}\"){}", location, declared->name,
                unknown_setting_message(declared->name, rows, [](const setting_row& r) { return r.name; })));
        }
    }
    return out;
}

std::vector<command_info> served_app::commands() const {
    std::vector<command_info> commands;
    for (const detail::declared_command* c : app_.declared_commands()) commands.push_back({c->name, c->help});
    return commands;
}

bool served_app::takes_arguments(std::string_view command) const { return find_command(command).takes_arguments; }

const detail::declared_command& served_app::find_command(std::string_view name) const {
    for (const detail::declared_command* c : app_.declared_commands())
        if (c->name == name) return *c;
    throw std::invalid_argument(fmt::format("unknown command '{}'", name));
}

int served_app::run_command(const command_line& line) {
    const detail::declared_command& command = find_command(line.command);
    app_.check();
    return cli::run_command(*this, line.settings, run_with_hooks(app_, command, line.arguments));
}

void served_app::configure(server_settings& settings) { app_.apply_settings(settings.data); }

std::vector<served_route> served_app::routes() const {
    std::vector<served_route> routes;
    for (route_info& r : app_.routes())
        routes.push_back({std::move(r.methods), std::move(r.pattern), std::string(to_string(r.kind))});
    return routes;
}

void served_app::check(const server_settings& settings, std::vector<std::string>& errors) {
    try {
        app_.check();
    } catch (const std::exception& e) {
        errors.emplace_back(e.what());
    }
    try {
        require_known_compute_pools(app_, settings);
    } catch (const std::exception& e) {
        errors.emplace_back(e.what());
    }
}

void served_app::prepare_to_serve(const server_settings& settings) {
    app_.check();
    require_known_compute_pools(app_, settings);
}

std::string served_app::summary() const { return fmt::format("{} routes", app_.routes().size()); }

std::string served_app::views_text(const server_settings& settings) const {
    std::size_t async = 0;
    std::size_t sync = 0;
    std::size_t cpu = 0;
    std::size_t isolated = 0;
    for (const route_info& r : app_.routes()) {
        if (r.kind == view_kind::async) ++async;
        else if (r.kind == view_kind::sync) ++sync;
        else if (r.kind == view_kind::cpu) ++cpu;
        else ++isolated;
    }
    std::string text = fmt::format("views    {} async, {} sync, {} cpu", async, sync, cpu);
    if (isolated > 0) text += fmt::format(", {} isolated", isolated);
    return text + fmt::format("\nthreads  {}", threads_text(settings));
}

void served_app::on_arbiter_start(bool reloaded) { app_.run_arbiter_hooks(reloaded); }

std::vector<process::managed_listener> served_app::listen_for_jobs(const server_settings& settings,
                                                                   process::handover& inherited) {
    return cli::listen_for_jobs(app_, settings, inherited);
}

std::vector<process::group_options> served_app::compute_groups(const server_settings& settings) {
    return cli::compute_groups(app_, settings);
}

handler::application& served_app::application() { return app_; }
void served_app::set_access_log(access_log_sink* sink) { app_.set_access_log(sink); }
void served_app::set_leader_check(std::function<bool(std::string_view name)> is_leader) {
    app_.set_leader_check(std::move(is_leader));
}
void served_app::set_background_deadline(instant deadline) { app_.set_background_deadline(deadline); }
task<void> served_app::stop_background() { return app_.stop_background(); }

}  // namespace rondo::cli
