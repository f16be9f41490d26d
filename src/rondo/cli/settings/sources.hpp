// SPDX-License-Identifier: Apache-2.0
// Collects the values that flags, environment and application defaults give to settings.
#pragma once

#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/cli/settings/table.hpp>

namespace rondo::cli {

/// The values that one source gives to one setting.
struct setting_value {
    const setting_row* row = nullptr;
    std::vector<std::string> texts;
    std::string message_prefix;  ///< prefix of messages: "--bind", "RONDO_BIND", "rondo.toml:3: bind"
    std::string origin;          ///< for `check`: "flag", "RONDO_BIND", "rondo.toml:3"
};

/// All values of one kind of source, and messages about those that could not be parsed.
struct setting_source {
    std::vector<setting_value> values;
    std::vector<std::string> errors;

    /// Appends a value of the row. Splits values of lists and dictionaries at commas.
    void add(const setting_row& row, std::string_view text, std::string message_prefix, std::string origin);
};

/// The part of the command line after the command.
struct parsed_flags : setting_source {
    std::vector<std::string> arguments;  ///< positional arguments
    bool help = false;                   ///< -h or --help was given
};

/// Parses `--name VALUE`, `--name=VALUE`, `-n VALUE` and `-nVALUE`; `--name` and `--no-name` for on/off settings. `--`
/// ends the flags.
[[nodiscard]] parsed_flags parse_flags(std::span<const char* const> arguments, std::span<const setting_row> rows);

/// Reads variables named RONDO_NAME; an empty one counts as unset. `variables` is null-terminated like environ.
[[nodiscard]] setting_source read_environment(const char* const* variables, std::span<const setting_row> rows);

/// "main.cpp:7"
[[nodiscard]] std::string location_text(const std::source_location& location);

/// ": unknown setting; did you mean --threads?" `display_name` returns the name that this source uses for a row.
[[nodiscard]] std::string unknown_setting_message(std::string_view name, std::span<const setting_row> rows,
                                                  std::string (*display_name)(const setting_row&));

}  // namespace rondo::cli
