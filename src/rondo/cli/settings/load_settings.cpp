// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/load_settings.hpp>

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>
#include <unistd.h>

#include <rondo/cli/served.hpp>
#include <rondo/cli/settings/config_file.hpp>
#include <rondo/codec/redact.hpp>

namespace rondo::cli {

namespace {

constexpr const char* default_config_file = "rondo.toml";

// The value of --config, else of RONDO_CONFIG, else rondo.toml if it exists.
std::string config_file_path(const setting_source& flags, const setting_source& environment) {
    for (const setting_source* source : {&flags, &environment})
        for (const setting_value& value : source->values)
            if (value.row->name == "config") return value.texts.back();
    return ::access(default_config_file, F_OK) == 0 ? default_config_file : "";
}

bool is_command(std::span<const command_info> commands, std::string_view word) {
    return word == "help" || std::ranges::find(commands, word, &command_info::name) != commands.end();
}

// The command, if any, precedes all flags: `app --bind :80` serves.
std::span<const char* const> split_command(std::span<const char* const> arguments, std::string& command) {
    if (arguments.empty() || arguments[0][0] == '-') return arguments;
    command = arguments[0];
    return arguments.subspan(1);
}

// Takes the argument of the application, if the command requires it.
void take_argument(served& application, std::span<const command_info> commands, command_line& line) {
    const auto command = std::ranges::find(commands, line.command, &command_info::name);
    if (command == commands.end() || !command->takes_argument) return;
    if (line.arguments.empty()) return line.errors.push_back(application.missing_argument_text());
    line.argument = std::move(line.arguments.front());
    line.arguments.erase(line.arguments.begin());
    try {
        application.set_argument(line.argument);
    } catch (const std::exception& e) {
        line.errors.emplace_back(e.what());
    }
}

// Redacts the values that a message repeats: any of them may be a URL that was meant for another setting.
std::string redact_values(std::string message, const setting_value& value) {
    for (const std::string& text : value.texts) {
        const std::string redacted = value.row->is_secret ? "***" : codec::redacted_url(text);
        for (std::size_t at = 0; !text.empty() && (at = message.find(text, at)) != message.npos; at += redacted.size())
            message.replace(at, text.size(), redacted);
    }
    return message;
}

void complete_binds(server_settings& s) {
    for (int fd : s.inherited_fds) s.binds.push_back(net::bind_address::parse(fmt::format("fd://{}", fd)));
    if (s.binds.empty()) s.binds.push_back(net::bind_address::parse("127.0.0.1:8000"));
}

}  // namespace

const setting_row* find_row(std::span<const setting_row> rows, std::string_view name) noexcept {
    auto row = std::ranges::find(rows, name, &setting_row::name);
    return row == rows.end() ? nullptr : &*row;
}

std::vector<setting_row> all_rows(served& application) {
    std::vector<setting_row> rows = framework_rows();
    for (setting_row& row : application.setting_rows()) {
        if (row.name == "help" || find_row(rows, row.name)) {
            throw std::invalid_argument(fmt::format("{}{}setting '{}' already exists; choose another name",
                                                    row.declared_at, row.declared_at.empty() ? "" : ": ", row.name));
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

void apply_sources(command_line& line, std::span<const setting_source> sources) {
    line.origins.assign(line.rows.size(), "default");
    for (const setting_source& source : sources) {
        line.errors.insert(line.errors.end(), source.errors.begin(), source.errors.end());
        for (const setting_value& value : source.values) {
            try {
                value.row->parse(line.settings, value.texts);
                line.origins[static_cast<std::size_t>(value.row - line.rows.data())] = value.origin;
            } catch (const std::exception& e) {
                line.errors.push_back(fmt::format("{}: {}", value.message_prefix, redact_values(e.what(), value)));
            }
        }
    }
    for (std::string& message : line.errors) message = codec::redacted_text(message);
    complete_binds(line.settings);
}

command_line parse_command_line(served& application, std::span<const command_info> commands,
                                std::span<const char* const> arguments, const char* const* variables) {
    command_line line;
    line.rows = all_rows(application);
    const bool has_argument = !application.argument().empty();
    // With an argument the first word may be that, and flags may precede it.
    const bool starts_with_command = !has_argument || (!arguments.empty() && is_command(commands, arguments[0]));
    if (starts_with_command) arguments = split_command(arguments, line.command);
    std::vector<const char*> flag_arguments;
    for (const char* argument : arguments) {
        if (line.command == "status" && argument == std::string_view("--watch")) line.watch = true;
        else flag_arguments.push_back(argument);
    }
    parsed_flags flags = parse_flags(flag_arguments, line.rows);
    line.arguments = std::move(flags.arguments);
    line.help = flags.help;
    if (!starts_with_command && !line.arguments.empty() && is_command(commands, line.arguments[0])) {
        line.command = std::move(line.arguments[0]);
        line.arguments.erase(line.arguments.begin());
    }
    if (has_argument && !line.help) take_argument(application, commands, line);
    setting_source environment = read_environment(variables, line.rows);
    setting_source file;
    const std::string path = config_file_path(flags, environment);
    if (!path.empty()) file = read_config_file(path, line.rows);
    const setting_source sources[] = {application.default_values(line.rows), std::move(file), std::move(environment),
                                      static_cast<setting_source&&>(flags)};
    apply_sources(line, sources);
    return line;
}

}  // namespace rondo::cli
