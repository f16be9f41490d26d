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

int check(app& application, const invocation& asked) {
    fmt::print("{}\n", cli::effective_text(asked));
    std::vector<std::string> in_use;
    cli::settle_in(asked.chosen);  // relative paths are looked for where the server would
    const std::vector<std::string> mistakes = cli::find_mistakes(application, asked.chosen, in_use);
    for (const std::string& address : in_use) fmt::print("{} is in use now\n", address);
    std::fflush(stdout);
    for (const std::string& mistake : mistakes) fmt::print(stderr, "{}\n", mistake);
    if (!mistakes.empty()) return 1;
    fmt::print("{} routes, no mistakes found\n", application.routes().size());
    return 0;
}

int print_reference(app&, const invocation& asked) {
    fmt::print("{}", cli::reference_text(asked.rows));
    return 0;
}

int print_version(app&, const invocation&) {
    fmt::print("rondo {}\n", version);
    return 0;
}

int status(app&, const invocation& asked) { return cli::print_status(asked.chosen, asked.watch); }

int serve(app& application, const invocation& asked) { return cli::serve(application, asked.chosen); }

/// A command of every application.
struct built_in {
    const char* name;
    const char* help;
    int (*run)(app&, const invocation&);
    bool needs_settings = true;  ///< a mistake in them keeps it from running
};

constexpr std::array commands{
    built_in{"serve", "serves the application", serve},
    built_in{"routes", "prints the routes with the kind of each view", print_routes},
    built_in{"check", "looks for mistakes in routes and settings without serving, and prints the settings", check},
    built_in{"status", "prints what a running server with --admin does; with --watch every second", status},
    built_in{"settings", "prints the reference of all settings, as Markdown", print_reference, false},
    built_in{"version", "prints the version of Rondo", print_version, false},
};

std::vector<cli::command_name> command_names(const app& application) {
    std::vector<cli::command_name> all;
    for (const built_in& c : commands) all.push_back({c.name, c.help});
    for (const detail::declared_command* c : application.declared_commands()) all.push_back({c->name, c->help});
    return all;
}

class mistaken : public std::exception {};

void complain(std::string_view program, const std::string& sentence) {
    log::say(fmt::format("{}: {}", program, codec::without_secrets(sentence)));
}

[[noreturn]] void unknown_command(const app& application, std::string_view program, std::string_view word) {
    const std::vector<cli::command_name> all = command_names(application);
    std::vector<std::string_view> names;
    std::string list;
    for (const cli::command_name& c : all) {
        names.emplace_back(c.name);
        list.append(list.empty() ? "" : ", ").append(c.name);
    }
    const std::string_view near = cli::nearest(word, names);
    const std::string shown = codec::redacted_url(word);  // it may be meant for a setting
    complain(program, near.empty() ? fmt::format("'{}' is no command; there are {}", shown, list)
                                   : fmt::format("'{}' is no command; did you mean {}?", shown, near));
    throw mistaken();
}

// A wrong command line: what is wrong, then where to look.
void require_right(std::string_view program, const invocation& asked, bool takes_words) {
    for (const std::string& sentence : asked.mistakes) complain(program, sentence);
    if (!takes_words)
        for (const std::string& word : asked.words)
            complain(program, fmt::format("'{}' is not expected after {}", codec::redacted_url(word), asked.command));
    if (asked.mistakes.empty() && (takes_words || asked.words.empty())) return;
    log::say(fmt::format("Try '{} --help'.", program));
    throw mistaken();
}

int carry_out(app& application, std::string_view program, const invocation& asked) {
    const auto known = std::ranges::find_if(commands, [&asked](const built_in& c) { return c.name == asked.command; });
    if (known != commands.end()) {
        if (known->needs_settings) require_right(program, asked, false);
        application.use_settings(asked.chosen.data);
        return known->run(application, asked);
    }
    for (const detail::declared_command* own : application.declared_commands()) {
        if (own->name != asked.command) continue;
        require_right(program, asked, own->takes_arguments);
        application.use_settings(asked.chosen.data);
        return cli::run_command(application, *own, asked.words, asked.chosen);
    }
    unknown_command(application, program, asked.command);
}

int read_and_carry_out(app& application, std::string_view program, std::span<const char* const> arguments) {
    const invocation asked = cli::read_invocation(application, arguments, environ);
    if (!asked.help && asked.command != "help") return carry_out(application, program, asked);
    fmt::print("{}", cli::help_text(program, command_names(application), asked.rows));
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
