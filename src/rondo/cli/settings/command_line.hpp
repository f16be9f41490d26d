// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <rondo/cli/settings/row.hpp>
#include <rondo/cli/settings/settings.hpp>
#include <rondo/cli/settings/sources.hpp>

namespace rondo::cli {

/// What a command line, the environment and the file ask for.
struct invocation {
    std::string command = "serve";
    std::vector<std::string> words;  ///< what follows the command and is no setting
    bool help = false;
    bool watch = false;  ///< `status --watch`
    std::vector<setting_row> rows;
    settings chosen;
    std::vector<std::string> origins;   ///< of each row: "default", "flag", "RONDO_BIND", "rondo.toml:3", "app.cpp:7"
    std::vector<std::string> mistakes;  ///< sentences; nothing may be done when there is one
};

/// Reads all sources. What flags say goes before the environment, that before the file, that before the defaults of
/// the application, and those before the framework's. Settings that the application declared are set in it. Prints
/// nothing. Throws when the application declares what cannot be. `variables` is as environ.
[[nodiscard]] invocation read_invocation(app& application, std::span<const char* const> arguments,
                                         const char* const* variables);

/// Applies what the sources say, in this order; later ones win. `asked.rows` must be set and outlive the call.
void apply(invocation& asked, std::span<const given_settings> sources);

/// Usage, commands and every setting, for --help.
struct command_name {
    std::string name;
    std::string help;
};
[[nodiscard]] std::string help_text(std::string_view program, std::span<const command_name> commands,
                                    std::span<const setting_row> rows);
/// The reference page: tables in Markdown, one per group.
[[nodiscard]] std::string reference_text(std::span<const setting_row> rows);
/// Each setting with its value and where it comes from, one line each.
[[nodiscard]] std::string effective_text(const invocation& asked);

}  // namespace rondo::cli
