// SPDX-License-Identifier: Apache-2.0
#include <rondo/cli/settings/load_settings.hpp>

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>
#include <unistd.h>

#include <rondo/cli/settings/config_file.hpp>
#include <rondo/codec/redact.hpp>
#include <rondo/web/app.hpp>

namespace rondo::cli {

namespace {

constexpr const char* default_config_file = "rondo.toml";

setting_row application_row(detail::declared_setting& declared) {
    setting_row row;
    row.name = declared.name;
    row.type = declared.type;
    row.help = declared.help;
    row.group = "Application";
    row.shape = declared.is_flag() ? row_shape::on_off : row_shape::value;
    row.is_secret =
        declared.type == "SECRET" || (row.shape == row_shape::value && codec::is_secret_name(declared.name));
    row.default_value = row.is_secret ? "" : redacted_value(row, declared.default_text);
    row.parse = [&declared](server_settings&, std::span<const std::string> texts) { declared.parse(texts.back()); };
    row.to_text = [&declared](const server_settings&) { return declared.text(); };
    return row;
}

// The value of --config, else of RONDO_CONFIG, else rondo.toml if it exists.
std::string config_file_path(const setting_source& flags, const setting_source& environment) {
    for (const setting_source* source : {&flags, &environment})
        for (const setting_value& value : source->values)
            if (value.row->name == "config") return value.texts.back();
    return ::access(default_config_file, F_OK) == 0 ? default_config_file : "";
}

// The command, if any, precedes all flags: `app --bind :80` serves.
std::span<const char* const> split_command(std::span<const char* const> arguments, std::string& command) {
    if (arguments.empty() || arguments[0][0] == '-') return arguments;
    command = arguments[0];
    return arguments.subspan(1);
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

std::vector<setting_row> all_rows(const app& application) {
    std::vector<setting_row> rows = framework_rows();
    for (detail::declared_setting* declared : application.declared_settings()) {
        if (declared->name == "help" || find_row(rows, declared->name)) {
            throw std::invalid_argument(fmt::format("{}: setting '{}' already exists; choose another name",
                                                    location_text(declared->location), declared->name));
        }
        rows.push_back(application_row(*declared));
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

command_line parse_command_line(app& application, std::span<const char* const> arguments,
                                const char* const* variables) {
    command_line line;
    line.rows = all_rows(application);
    std::vector<const char*> flag_arguments;
    for (const char* argument : split_command(arguments, line.command)) {
        if (line.command == "status" && argument == std::string_view("--watch")) line.watch = true;
        else flag_arguments.push_back(argument);
    }
    parsed_flags flags = parse_flags(flag_arguments, line.rows);
    line.arguments = std::move(flags.arguments);
    line.help = flags.help;
    setting_source environment = read_environment(variables, line.rows);
    setting_source file;
    const std::string path = config_file_path(flags, environment);
    if (!path.empty()) file = read_config_file(path, line.rows);
    const setting_source sources[] = {application_defaults(application, line.rows), std::move(file),
                                      std::move(environment), static_cast<setting_source&&>(flags)};
    apply_sources(line, sources);
    return line;
}

}  // namespace rondo::cli
