// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/run_served.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include <rondo/base/log.hpp>
#include <rondo/base/version.hpp>
#include <rondo/cli/apply_process_settings.hpp>
#include <rondo/cli/serve.hpp>
#include <rondo/cli/served.hpp>
#include <rondo/cli/settings/help_text.hpp>
#include <rondo/cli/settings/load_settings.hpp>
#include <rondo/cli/settings/spelling_suggestion.hpp>
#include <rondo/cli/start_failed.hpp>
#include <rondo/cli/status_command.hpp>
#include <rondo/cli/validate.hpp>
#include <rondo/codec/redact.hpp>
#include <rondo/process/current_child.hpp>

namespace rondo::cli {

namespace {

int print_routes(served& application, const command_line&) {
    std::size_t methods = 0;
    std::size_t pattern = 0;
    const std::vector<served_route> routes = application.routes();
    for (const served_route& r : routes) {
        methods = std::max(methods, r.methods.size());
        pattern = std::max(pattern, r.pattern.size());
    }
    for (const served_route& r : routes)
        fmt::print("{:{}}  {:{}}  {}\n", r.methods, methods, r.pattern, pattern, r.kind);
    return 0;
}

int check(served& application, const command_line& line) {
    fmt::print("{}\n", effective_text(line));
    std::vector<std::string> in_use;
    apply_process_settings(line.settings);  // resolves relative paths as the server would
    const std::vector<std::string> errors = validate(application, line.settings, in_use);
    for (const std::string& address : in_use) fmt::print("{} is in use\n", address);
    std::fflush(stdout);
    for (const std::string& error : errors) fmt::print(stderr, "{}\n", error);
    if (!errors.empty()) return 1;
    fmt::print("{}, no errors found\n", application.summary());
    return 0;
}

int print_reference(served&, const command_line& line) {
    fmt::print("{}", reference_text(line.rows));
    return 0;
}

int print_version(served&, const command_line&) {
    fmt::print("rondo {}\n", version);
    return 0;
}

int status(served&, const command_line& line) { return print_status(line.settings, line.watch); }

int serve(served& application, const command_line& line) { return serve(application, line.settings); }

/// A command of every application.
struct builtin_command {
    const char* name;
    const char* help;
    int (*run)(served&, const command_line&);
    bool takes_argument = false;
    bool needs_valid_settings = true;  ///< invalid settings prevent it from running
};

constexpr std::array builtin_commands{
    builtin_command{"serve", "serve the application; the default command", serve, true},
    builtin_command{"routes", "list the routes with the kind of each view", print_routes, true},
    builtin_command{"check", "validate routes and settings without serving, and print the settings", check, true},
    builtin_command{"status", "print the state of a running server with --admin; with --watch, every second", status},
    builtin_command{"settings", "print the reference of all settings as Markdown", print_reference, false, false},
    builtin_command{"version", "print the version of Rondo", print_version, false, false},
};

std::vector<command_info> available_commands(const served& application) {
    std::vector<command_info> commands;
    for (const builtin_command& c : builtin_commands) commands.push_back({c.name, c.help, c.takes_argument});
    for (command_info& c : application.commands()) commands.push_back(std::move(c));
    return commands;
}

class usage_error : public std::exception {};

void print_error(std::string_view program, const std::string& message) {
    log::print_to_standard_error(fmt::format("{}: {}", program, codec::redacted_text(message)));
}

[[noreturn]] void fail_unknown_command(const served& application, std::string_view program, std::string_view name) {
    const std::vector<command_info> commands = available_commands(application);
    std::vector<std::string_view> names;
    std::string list;
    for (const command_info& c : commands) {
        names.emplace_back(c.name);
        list.append(list.empty() ? "" : ", ").append(c.name);
    }
    const std::string_view suggestion = spelling_suggestion(name, names);
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
                        fmt::format("unexpected argument '{}' after {}", codec::redacted_url(argument),
                                    line.argument.empty() ? line.command : codec::redacted_url(line.argument)));
    if (line.errors.empty() && (takes_arguments || line.arguments.empty())) return;
    log::print_to_standard_error(fmt::format("Try '{} --help'.", program));
    throw usage_error();
}

int dispatch(served& application, std::string_view program, command_line& line) {
    const auto builtin =
        std::ranges::find_if(builtin_commands, [&line](const builtin_command& c) { return c.name == line.command; });
    if (builtin != builtin_commands.end()) {
        if (builtin->needs_valid_settings) require_valid(program, line, false);
        application.configure(line.settings);
        return builtin->run(application, line);
    }
    for (const command_info& declared : application.commands()) {
        if (declared.name != line.command) continue;
        require_valid(program, line, application.takes_arguments(declared.name));
        application.configure(line.settings);
        return application.run_command(line);
    }
    fail_unknown_command(application, program, line.command);
}

int parse_and_dispatch(served& application, std::string_view program, std::span<const char* const> arguments) {
    const std::vector<command_info> commands = available_commands(application);
    command_line line = parse_command_line(application, commands, arguments, environ);
    if (!line.help && line.command != "help") return dispatch(application, program, line);
    fmt::print("{}", help_text(program, application, commands, line.rows));
    return 0;
}

}  // namespace

int run(served& application, int argc, const char* const* argv) {
    const std::string_view program = argc > 0 ? argv[0] : "app";
    try {
        return parse_and_dispatch(application, program, {argv + (argc > 0 ? 1 : 0), argv + argc});
    } catch (const usage_error&) {
        return 2;
    } catch (const start_failed& e) {
        log::error(e.what());
        log::flush();
        return process::exit_not_started;
    } catch (const std::exception& e) {
        log::flush();
        print_error(program, e.what());
        return 1;
    }
}

}  // namespace rondo::cli
