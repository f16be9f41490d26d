// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/run.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>

#include <fmt/format.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/base/version.hpp>
#include <rondo/cli/apply_process_settings.hpp>
#include <rondo/cli/run_command.hpp>
#include <rondo/cli/serve.hpp>
#include <rondo/cli/settings/help_text.hpp>
#include <rondo/cli/settings/load_settings.hpp>
#include <rondo/cli/settings/spelling_suggestion.hpp>
#include <rondo/cli/status_command.hpp>
#include <rondo/cli/validate.hpp>
#include <rondo/codec/redact.hpp>
#include <rondo/web/app.hpp>

namespace rondo {

namespace {

using cli::command_line;

int print_routes(app& application, const command_line&) {
    std::size_t methods = 0;
    std::size_t pattern = 0;
    auto routes = application.routes();
    for (const route_info& r : routes) {
        methods = std::max(methods, r.methods.size());
        pattern = std::max(pattern, r.pattern.size());
    }
    for (const route_info& r : routes)
        fmt::print("{:{}}  {:{}}  {}\n", r.methods, methods, r.pattern, pattern, to_string(r.kind));
    return 0;
}

int check(app& application, const command_line& line) {
    fmt::print("{}\n", cli::effective_text(line));
    std::vector<std::string> in_use;
    cli::apply_process_settings(line.settings);  // resolves relative paths as the server would
    const std::vector<std::string> errors = cli::validate(application, line.settings, in_use);
    for (const std::string& address : in_use) fmt::print("{} is in use\n", address);
    std::fflush(stdout);
    for (const std::string& error : errors) fmt::print(stderr, "{}\n", error);
    if (!errors.empty()) return 1;
    fmt::print("{} routes, no errors found\n", application.routes().size());
    return 0;
}

int print_reference(app&, const command_line& line) {
    fmt::print("{}", cli::reference_text(line.rows));
    return 0;
}

int print_version(app&, const command_line&) {
    fmt::print("rondo {}\n", version);
    return 0;
}

int status(app&, const command_line& line) { return cli::print_status(line.settings, line.watch); }

int serve(app& application, const command_line& line) { return cli::serve(application, line.settings); }

/// A command of every application.
struct builtin_command {
    const char* name;
    const char* help;
    int (*run)(app&, const command_line&);
    bool needs_valid_settings = true;  ///< invalid settings prevent it from running
};

constexpr std::array builtin_commands{
    builtin_command{"serve", "serve the application; the default command", serve},
    builtin_command{"routes", "list the routes with the kind of each view", print_routes},
    builtin_command{"check", "validate routes and settings without serving, and print the settings", check},
    builtin_command{"status", "print the state of a running server with --admin; with --watch, every second", status},
    builtin_command{"settings", "print the reference of all settings as Markdown", print_reference, false},
    builtin_command{"version", "print the version of Rondo", print_version, false},
};

std::vector<cli::command_info> available_commands(const app& application) {
    std::vector<cli::command_info> commands;
    for (const builtin_command& c : builtin_commands) commands.push_back({c.name, c.help});
    for (const detail::declared_command* c : application.declared_commands()) commands.push_back({c->name, c->help});
    return commands;
}

class usage_error : public std::exception {};

void print_error(std::string_view program, const std::string& message) {
    log::print_to_standard_error(fmt::format("{}: {}", program, codec::redacted_text(message)));
}

[[noreturn]] void fail_unknown_command(const app& application, std::string_view program, std::string_view name) {
    const std::vector<cli::command_info> commands = available_commands(application);
    std::vector<std::string_view> names;
    std::string list;
    for (const cli::command_info& c : commands) {
        names.emplace_back(c.name);
        list.append(list.empty() ? "" : ", ").append(c.name);
    }
    const std::string_view suggestion = cli::spelling_suggestion(name, names);
    const std::string redacted = codec::redacted_url(name);  // it may have been meant as the value of a setting
    print_error(program, suggestion.empty()
                             ? fmt::format("unknown command '{}'; commands: {}", redacted, list)
                             : fmt::format("unknown command '{}'; did you mean {}?", redacted, suggestion));
    throw usage_error();
}

// Prints the errors of an invalid command line, then refers to --help.
void require_valid(std::string_view program, const command_line& line, bool takes_arguments) {
    for (const std::string& message : line.errors) print_error(program, message);
    if (!takes_arguments)
        for (const std::string& argument : line.arguments)
            print_error(program,
                        fmt::format("unexpected argument '{}' after {}", codec::redacted_url(argument), line.command));
    if (line.errors.empty() && (takes_arguments || line.arguments.empty())) return;
    log::print_to_standard_error(fmt::format("Try '{} --help'.", program));
    throw usage_error();
}

int dispatch(app& application, std::string_view program, const command_line& line) {
    const auto builtin =
        std::ranges::find_if(builtin_commands, [&line](const builtin_command& c) { return c.name == line.command; });
    if (builtin != builtin_commands.end()) {
        if (builtin->needs_valid_settings) require_valid(program, line, false);
        application.apply_settings(line.settings.data);
        return builtin->run(application, line);
    }
    for (const detail::declared_command* declared : application.declared_commands()) {
        if (declared->name != line.command) continue;
        require_valid(program, line, declared->takes_arguments);
        application.apply_settings(line.settings.data);
        return cli::run_command(application, *declared, line.arguments, line.settings);
    }
    fail_unknown_command(application, program, line.command);
}

int parse_and_dispatch(app& application, std::string_view program, std::span<const char* const> arguments) {
    const command_line line = cli::parse_command_line(application, arguments, environ);
    if (!line.help && line.command != "help") return dispatch(application, program, line);
    fmt::print("{}", cli::help_text(program, available_commands(application), line.rows));
    return 0;
}

}  // namespace

int run(app& application, int argc, const char* const* argv) {
    const std::string_view program = argc > 0 ? argv[0] : "app";
    try {
        return parse_and_dispatch(application, program, {argv + (argc > 0 ? 1 : 0), argv + argc});
    } catch (const usage_error&) {
        return 2;
    } catch (const std::exception& e) {
        log::flush();
        print_error(program, e.what());
        return 1;
    }
}

}  // namespace rondo
