// SPDX-License-Identifier: Apache-2.0
// Parses the command line, the environment and the configuration file into a command and its settings.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/cli/settings/settings.hpp>
#include <rondo/cli/settings/sources.hpp>
#include <rondo/cli/settings/table.hpp>

namespace rondo::cli {

class served;

/// A command as listed by --help.
struct command_info {
    std::string name;
    std::string help;
    bool takes_argument = false;  ///< requires served::argument(), if the application has one
};

/// The parsed command line, with the settings from all sources applied.
struct command_line {
    std::string command = "serve";
    std::string argument;                ///< that of served::argument(), if the command takes it
    std::vector<std::string> arguments;  ///< further positional arguments after the command
    bool help = false;
    bool watch = false;  ///< `status --watch`
    std::vector<setting_row> rows;
    server_settings settings;
    std::vector<std::string> origins;  ///< per row: "default", "flag", "RONDO_BIND", "rondo.toml:3", "app.cpp:7"
    std::vector<std::string> errors;   ///< messages for users; when not empty, the command must not run
};

/// Reads all sources. Flags take precedence over the environment, then the configuration file, the defaults of the
/// application and those of the framework. Also stores the settings that the application declared in it. Prints
/// nothing. Throws std::invalid_argument when a declared setting is invalid. `commands`: all that exist. `variables`
/// has the format of environ.
[[nodiscard]] command_line parse_command_line(served& application, std::span<const command_info> commands,
                                              std::span<const char* const> arguments, const char* const* variables);

/// Applies the sources in order; later ones win. `line.rows` must be set and outlive the call.
void apply_sources(command_line& line, std::span<const setting_source> sources);

}  // namespace rondo::cli
