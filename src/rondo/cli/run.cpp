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
#include <rondo/cli/process_settings.hpp>
#include <rondo/cli/run_command.hpp>
#include <rondo/cli/serve.hpp>
#include <rondo/cli/settings/command_line.hpp>
#include <rondo/cli/settings/help_text.hpp>
#include <rondo/cli/settings/spelling_suggestion.hpp>
#include <rondo/cli/status_command.hpp>
#include <rondo/cli/validate.hpp>
#include <rondo/codec/redact.hpp>
#include <rondo/web/app.hpp>

namespace rondo {

namespace {

using cli::invocation;

int print_routes(app& application, const invocation&) {
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

int check(app& application, const invocation& line) {
    fmt::print("{}\n", cli::effective_text(line));
    std::vector<std::string> in_use;
    cli::settle_in(line.chosen);  // resolves relative paths as the server would
    const std::vector<std::string> errors = cli::find_mistakes(application, line.chosen, in_use);
    for (const std::string& address : in_use) fmt::print("{} is in use\n", address);
    std::fflush(stdout);
    for (const std::string& error : errors) fmt::print(stderr, "{}\n", error);
    if (!errors.empty()) return 1;
    fmt::print("{} routes, no errors found\n", application.routes().size());
    return 0;
}

int print_reference(app&, const invocation& line) {
    fmt::print("{}", cli::reference_text(line.rows));
    return 0;
}

int print_version(app&, const invocation&) {
    fmt::print("rondo {}\n", version);
    return 0;
}

int status(app&, const invocation& line) { return cli::print_status(line.chosen, line.watch); }

int serve(app& application, const invocation& line) { return cli::serve(application, line.chosen); }

/// A command of every application.
struct built_in {
    const char* name;
    const char* help;
    int (*run)(app&, const invocation&);
    bool needs_settings = true;  ///< invalid settings prevent it from running
};

constexpr std::array commands{
    built_in{"serve", "serve the application; the default command", serve},
    built_in{"routes", "list the routes with the kind of each view", print_routes},
    built_in{"check", "validate routes and settings without serving, and print the settings", check},
    built_in{"status", "print the state of a running server with --admin; with --watch, every second", status},
    built_in{"settings", "print the reference of all settings as Markdown", print_reference, false},
    built_in{"version", "print the version of Rondo", print_version, false},
};

std::vector<cli::command_name> command_names(const app& application) {
    std::vector<cli::command_name> all;
    for (const built_in& c : commands) all.push_back({c.name, c.help});
    for (const detail::declared_command* c : application.declared_commands()) all.push_back({c->name, c->help});
    return all;
}

class mistaken : public std::exception {};

void complain(std::string_view program, const std::string& message) {
    log::say(fmt::format("{}: {}", program, codec::without_secrets(message)));
}

[[noreturn]] void unknown_command(const app& application, std::string_view program, std::string_view name) {
    const std::vector<cli::command_name> all = command_names(application);
    std::vector<std::string_view> names;
    std::string list;
    for (const cli::command_name& c : all) {
        names.emplace_back(c.name);
        list.append(list.empty() ? "" : ", ").append(c.name);
    }
    const std::string_view suggestion = cli::nearest(name, names);
    const std::string redacted = codec::redacted_url(name);  // it may have been meant as the value of a setting
    complain(program, suggestion.empty() ? fmt::format("unknown command '{}'; commands: {}", redacted, list)
                                         : fmt::format("unknown command '{}'; did you mean {}?", redacted, suggestion));
    throw mistaken();
}

// Prints the errors of an invalid command line, then refers to --help.
void require_right(std::string_view program, const invocation& line, bool takes_arguments) {
    for (const std::string& message : line.mistakes) complain(program, message);
    if (!takes_arguments)
        for (const std::string& argument : line.words)
            complain(program,
                     fmt::format("unexpected argument '{}' after {}", codec::redacted_url(argument), line.command));
    if (line.mistakes.empty() && (takes_arguments || line.words.empty())) return;
    log::say(fmt::format("Try '{} --help'.", program));
    throw mistaken();
}

int carry_out(app& application, std::string_view program, const invocation& line) {
    const auto known = std::ranges::find_if(commands, [&line](const built_in& c) { return c.name == line.command; });
    if (known != commands.end()) {
        if (known->needs_settings) require_right(program, line, false);
        application.use_settings(line.chosen.data);
        return known->run(application, line);
    }
    for (const detail::declared_command* own : application.declared_commands()) {
        if (own->name != line.command) continue;
        require_right(program, line, own->takes_arguments);
        application.use_settings(line.chosen.data);
        return cli::run_command(application, *own, line.words, line.chosen);
    }
    unknown_command(application, program, line.command);
}

int read_and_carry_out(app& application, std::string_view program, std::span<const char* const> arguments) {
    const invocation line = cli::read_invocation(application, arguments, environ);
    if (!line.help && line.command != "help") return carry_out(application, program, line);
    fmt::print("{}", cli::help_text(program, command_names(application), line.rows));
    return 0;
}

}  // namespace

int run(app& application, int argc, const char* const* argv) {
    const std::string_view program = argc > 0 ? argv[0] : "app";
    try {
        return read_and_carry_out(application, program, {argv + (argc > 0 ? 1 : 0), argv + argc});
    } catch (const mistaken&) {
        return 2;
    } catch (const std::exception& e) {
        log::flush();
        complain(program, e.what());
        return 1;
    }
}

}  // namespace rondo
