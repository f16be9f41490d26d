// SPDX-License-Identifier: Apache-2.0
/// What each source says of the settings, before anything is made of it.
#pragma once

#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/cli/settings/row.hpp>

namespace rondo::cli {

/// What one source says of one setting.
struct given {
    const setting_row* row = nullptr;
    std::vector<std::string> texts;
    std::string source;  ///< begins a message: "--bind", "RONDO_BIND", "rondo.toml:3: bind"
    std::string origin;  ///< for `check`: "flag", "RONDO_BIND", "rondo.toml:3"
};

/// All that was given by one kind of source, and sentences about what could not be understood.
struct given_settings {
    std::vector<given> items;
    std::vector<std::string> mistakes;

    /// Adds to what the same source said of the row before. Texts of lists are split at commas.
    void add(const setting_row& row, std::string_view text, std::string source, std::string origin);
};

/// The command line after the command.
struct given_flags : given_settings {
    std::vector<std::string> words;  ///< what is no flag
    bool help = false;               ///< -h or --help is among them
};

/// `--name VALUE`, `--name=VALUE`, `-n VALUE`, `-nVALUE`; `--name` and `--no-name` for what is on or off; `--` ends
/// the flags.
[[nodiscard]] given_flags read_flags(std::span<const char* const> arguments, std::span<const setting_row> rows);

/// Variables RONDO_NAME; an empty one counts as not set. `variables` ends with a null pointer, as environ does.
[[nodiscard]] given_settings read_environment(const char* const* variables, std::span<const setting_row> rows);

/// A file in TOML: `name = value`, '-' or '_' in names; arrays for lists, tables for dictionaries.
[[nodiscard]] given_settings read_config_file(const std::string& path, std::span<const setting_row> rows);

/// The defaults that the application chose.
[[nodiscard]] given_settings read_preferred(const app& application, std::span<const setting_row> rows);

/// "main.cpp:7"
[[nodiscard]] std::string place_of(const std::source_location& where);

/// ": there is no such setting; did you mean --threads?" `shown` turns a name into what this source calls it.
[[nodiscard]] std::string unknown_setting(std::string_view name, std::span<const setting_row> rows,
                                          std::string (*shown)(const setting_row&));

}  // namespace rondo::cli
